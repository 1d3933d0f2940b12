// What functions with texts and numbers need of the component model's canonical ABI. Numbers are passed
// as they are; a `string` is a pointer and a size; a `result<string, string>` is returned by a pointer.
// For records, lists and variants, `wit-bindgen-go` writes such code.
package main

import (
	"runtime/debug"
	"unsafe"
)

// While the host asks for memory, nothing may be called that is outside, which the garbage collector
// does (it looks at the clock). Each call has an instance of its own, so there is little to collect; a
// function that allocates a lot can call runtime.GC() itself.
func init() { debug.SetGCPercent(-1) }

// What the host was given or has given, until the call is over: the garbage collector sees no
// pointers outside.
var kept [][]byte

// Not `cabi_realloc`: the adapter for WASI would call that before Go is ready.
//
//go:wasmexport cabi_export_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	block := make([]byte, size+8) // never empty, and aligned for any type
	copy(block, unsafe.Slice((*byte)(old), oldSize))
	kept = append(kept, block)
	return unsafe.Pointer(&block[0])
}

func freeAll() { kept = nil }

func text(data unsafe.Pointer, size uint32) string {
	return string(unsafe.Slice((*byte)(data), size))
}

// result<string, string>: whether it is an error, then pointer and size of the text.
type textResult struct {
	isError    uint32
	data, size uint32
}

var answer textResult

func returned(isError uint32, text string) unsafe.Pointer {
	bytes := append([]byte(text), 0)
	kept = append(kept, bytes)
	answer = textResult{isError, uint32(uintptr(unsafe.Pointer(&bytes[0]))), uint32(len(text))}
	return unsafe.Pointer(&answer)
}

func ok(text string) unsafe.Pointer     { return returned(0, text) }
func failed(text string) unsafe.Pointer { return returned(1, text) }
