// Texts as JSON writes them.
#pragma once
#include "base.h"

static inline void add_quoted(Buffer *out, Text text) {
  add(out, '"');
  for (u32 i = 0; i < text.size; i++) {
    u8 c = text.data[i];
    switch (c) {
      case '"': ADD(out, "\\\""); break;
      case '\\': ADD(out, "\\\\"); break;
      case '\n': ADD(out, "\\n"); break;
      case '\r': ADD(out, "\\r"); break;
      case '\t': ADD(out, "\\t"); break;
      case '\b': ADD(out, "\\b"); break;
      case '\f': ADD(out, "\\f"); break;
      default:
        if (c < 0x20) ADD(out, "\\u"), add_hex(out, c, 4);
        else add(out, c);
    }
  }
  add(out, '"');
}
