#include "../abi.h"

typedef struct { i32 x, y; u8 color; } Point;

static Point *point(i32 x, i32 y, u32 color) {
  static Point result;
  result = (Point){x, y, (u8)color};
  return &result;
}

EXPORT("mirror") Point *mirror(i32 x, i32 y, u32 color) { return point(-x, -y, color); }

EXPORT("test:shapes/geometry@0.1.0#scale")
Point *scale(i32 x, i32 y, u32 color, i32 by) { return point(x * by, y * by, color); }
