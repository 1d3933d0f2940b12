module local/gomodule

go 1.24
