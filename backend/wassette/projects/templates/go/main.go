// The functions of the world in wit/world.wit, as the canonical ABI calls them: abi.go has what is
// needed for texts. Files are read with package os as usual; there are no sockets.
package main

import (
	"strings"
	"unsafe"
)

//go:wasmexport greet
func greet(data unsafe.Pointer, size uint32) unsafe.Pointer {
	who := text(data, size)
	if who == "" {
		return failed("nobody to greet")
	}
	return ok("Hello, " + who + "!")
}

//go:wasmexport cabi_post_greet
func afterGreet(unsafe.Pointer) { freeAll() }

//go:wasmexport count-words
func countWords(data unsafe.Pointer, size uint32) uint32 {
	defer freeAll()
	return uint32(len(strings.Fields(text(data, size))))
}

func main() {}
