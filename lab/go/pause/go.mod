module mlops.platform/lab/pause

go 1.24
