// Asks the Go module proxy. http.go has the request; abi.go, what texts need.
package main

import (
	"strings"
	"unicode"
	"unsafe"
)

const host = "proxy.golang.org"

// The path of a module as the proxy wants it: capital letters as ! and the small one.
func escaped(module string) string {
	var out strings.Builder
	for _, c := range module {
		if unicode.IsUpper(c) {
			out.WriteByte('!')
			c = unicode.ToLower(c)
		}
		out.WriteRune(c)
	}
	return out.String()
}

func ask(module, what string) unsafe.Pointer {
	if module == "" || strings.ContainsAny(module, " ?#\\") || strings.Contains(module, "..") {
		return failed("not the path of a module: " + module)
	}
	status, body, err := get(host, "/"+escaped(module)+what)
	switch {
	case err != nil:
		return failed(host + ": " + err.Error())
	case status == 404 || status == 410:
		return failed("there is no module " + module)
	case status != 200:
		return failed(host + " does not answer this: " + body)
	}
	return ok(body)
}

//go:wasmexport latest-version
func latestVersion(data unsafe.Pointer, size uint32) unsafe.Pointer {
	return ask(text(data, size), "/@latest")
}

//go:wasmexport cabi_post_latest-version
func afterLatestVersion(unsafe.Pointer) { freeAll() }

//go:wasmexport list-versions
func listVersions(data unsafe.Pointer, size uint32) unsafe.Pointer {
	return ask(text(data, size), "/@v/list")
}

//go:wasmexport cabi_post_list-versions
func afterListVersions(unsafe.Pointer) { freeAll() }

func main() {}
