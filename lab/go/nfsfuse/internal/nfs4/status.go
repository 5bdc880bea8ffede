// Package nfs4 is a client for NFSv4.1 (RFC 8881): sessions, open state and their recovery.
package nfs4

import (
	"fmt"
	"syscall"
)

// Status is an nfsstat4.
type Status uint32

// The statuses that the client acts on or translates.
const (
	StatusOK                 Status = 0
	ErrPerm                  Status = 1
	ErrNoEnt                 Status = 2
	ErrIO                    Status = 5
	ErrAccess                Status = 13
	ErrExist                 Status = 17
	ErrXDev                  Status = 18
	ErrNotDir                Status = 20
	ErrIsDir                 Status = 21
	ErrInval                 Status = 22
	ErrFBig                  Status = 27
	ErrNoSpc                 Status = 28
	ErrROFS                  Status = 30
	ErrMLink                 Status = 31
	ErrNameTooLong           Status = 63
	ErrNotEmpty              Status = 66
	ErrDQuot                 Status = 69
	ErrStale                 Status = 70
	ErrBadHandle             Status = 10001
	ErrBadCookie             Status = 10003
	ErrNotSupp               Status = 10004
	ErrTooSmall              Status = 10005
	ErrServerFault           Status = 10006
	ErrBadType               Status = 10007
	ErrDelay                 Status = 10008
	ErrSame                  Status = 10009
	ErrDenied                Status = 10010
	ErrExpired               Status = 10011
	ErrLocked                Status = 10012
	ErrGrace                 Status = 10013
	ErrFHExpired             Status = 10014
	ErrShareDenied           Status = 10015
	ErrWrongSec              Status = 10016
	ErrClidInUse             Status = 10017
	ErrMinorVersMismatch     Status = 10021
	ErrStaleClientID         Status = 10022
	ErrStaleStateID          Status = 10023
	ErrOldStateID            Status = 10024
	ErrBadStateID            Status = 10025
	ErrNotSame               Status = 10027
	ErrSymlink               Status = 10029
	ErrAttrNotSupp           Status = 10032
	ErrNoGrace               Status = 10033
	ErrReclaimBad            Status = 10034
	ErrReclaimConflict       Status = 10035
	ErrOpenMode              Status = 10038
	ErrBadOwner              Status = 10039
	ErrBadChar               Status = 10040
	ErrBadName               Status = 10041
	ErrAdminRevoked          Status = 10047
	ErrBadSession            Status = 10052
	ErrBadSlot               Status = 10053
	ErrCompleteAlready       Status = 10054
	ErrConnNotBoundToSession Status = 10055
	ErrSeqMisordered         Status = 10063
	ErrReqTooBig             Status = 10065
	ErrRepTooBig             Status = 10066
	ErrRepTooBigToCache      Status = 10067
	ErrRetryUncachedRep      Status = 10068
	ErrTooManyOps            Status = 10070
	ErrSeqFalseRetry         Status = 10076
	ErrBadHighSlot           Status = 10077
	ErrDeadSession           Status = 10078
	ErrDelegRevoked          Status = 10087
)

var errnos = map[Status]syscall.Errno{
	ErrPerm: syscall.EPERM, ErrNoEnt: syscall.ENOENT, ErrAccess: syscall.EACCES, ErrExist: syscall.EEXIST,
	ErrXDev: syscall.EXDEV, ErrNotDir: syscall.ENOTDIR, ErrIsDir: syscall.EISDIR, ErrInval: syscall.EINVAL,
	ErrFBig: syscall.EFBIG, ErrNoSpc: syscall.ENOSPC, ErrROFS: syscall.EROFS, ErrMLink: syscall.EMLINK,
	ErrNameTooLong: syscall.ENAMETOOLONG, ErrNotEmpty: syscall.ENOTEMPTY, ErrDQuot: syscall.EDQUOT, ErrStale: syscall.ESTALE,
	ErrBadHandle: syscall.ESTALE, ErrFHExpired: syscall.ESTALE, ErrNotSupp: syscall.EOPNOTSUPP, ErrBadType: syscall.EINVAL,
	ErrDenied: syscall.EAGAIN, ErrLocked: syscall.EAGAIN, ErrShareDenied: syscall.EBUSY, ErrWrongSec: syscall.EPERM,
	ErrSymlink: syscall.ELOOP, ErrAttrNotSupp: syscall.EOPNOTSUPP, ErrOpenMode: syscall.EBADF, ErrBadOwner: syscall.EINVAL,
	ErrBadChar: syscall.EINVAL, ErrBadName: syscall.EINVAL,
}

// Errno translates for the local system. What has no counterpart is EIO.
func (s Status) Errno() syscall.Errno {
	if e, ok := errnos[s]; ok {
		return e
	}
	return syscall.EIO
}

func (s Status) String() string {
	if e, ok := errnos[s]; ok {
		return e.Error()
	}
	return fmt.Sprintf("NFS status %d", uint32(s))
}

// OpError says which operation of a compound failed.
type OpError struct {
	Index  int
	Op     Op
	Status Status
}

func (e *OpError) Error() string { return fmt.Sprintf("%s: %s", opNames[e.Op.code()], e.Status) }

// busy are answers that ask to come back later.
func (s Status) busy() bool { return s == ErrDelay || s == ErrGrace }

// lostSession are answers of SEQUENCE after which the session is of no use.
func (s Status) lostSession() bool {
	switch s {
	case ErrBadSession, ErrDeadSession, ErrBadSlot, ErrBadHighSlot, ErrConnNotBoundToSession, ErrSeqMisordered,
		ErrSeqFalseRetry, ErrStaleClientID:
		return true
	}
	return false
}

// lostState are answers after which an open stateid is of no use.
func (s Status) lostState() bool {
	switch s {
	case ErrBadStateID, ErrStaleStateID, ErrExpired, ErrOldStateID, ErrAdminRevoked, ErrDelegRevoked:
		return true
	}
	return false
}
