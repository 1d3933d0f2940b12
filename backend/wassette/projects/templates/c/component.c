// The functions of the world in wit/world.wit, as the canonical ABI calls them: component.h has the
// types. Files are read with stdio.h as usual.
#include "component.h"

#include <stdio.h>

EXPORT("greet")
TextResult *greet(TEXT_ARGUMENT(who)) {
  Text who = ARGUMENT(who);
  if (!who.size) return error(TEXT("nobody to greet"));
  Text text = allocate_text(who.size + 9);
  text.size = (uint32_t)sprintf(text.data, "Hello, %.*s!", (int)who.size, who.data);
  return ok(text);
}
FREE_AFTER("greet")

EXPORT("count-words")
uint32_t count_words(TEXT_ARGUMENT(text)) {
  Text text = ARGUMENT(text);
  uint32_t count = 0;
  for (uint32_t i = 0, inside = 0; i < text.size; i++) {
    uint32_t is_space = text.data[i] == ' ' || (text.data[i] >= '\t' && text.data[i] <= '\r');
    if (!is_space && !inside) count++;
    inside = !is_space;
  }
  free_all();
  return count;
}
