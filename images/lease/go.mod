module mlops.platform/lease

go 1.26
