package vfs

// Unstable is how much data the server may still lose and this client keeps.
func (fs *FS) Unstable() int64 { return fs.unsaid.Load() }
