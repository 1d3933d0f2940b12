// Rows and columns, from CSV and JSON.
#pragma once
#include "json.h"
#include "number.h"

enum { CSV, TSV, JSON, JSONL };
enum { MAX_DATA = 16 << 20, MAX_COLUMNS = 256, MAX_CELLS = 2000000 };
enum { EMPTY_CELL, NUMBER_CELL, TEXT_CELL, RAW_CELL };  // raw: an array, true, false

typedef struct { u8 kind; Text text; double number; } Cell;
typedef struct {
  Text names[MAX_COLUMNS];
  u32 columns, rows;
  Cell *cells;  // `columns` for each row
  Text error;
  u32 last;  // the column that was found last
} Table;

static inline int table_fail(Table *table, Text why) {
  if (!table->error.size) table->error = why;
  return 0;
}

static inline i32 find_column(Table *table, Text name) {
  for (u32 i = 0; i < table->columns; i++) {
    u32 at = table->last + 1 + i;
    if (at >= table->columns) at %= table->columns;
    if (same(table->names[at], name)) return (i32)(table->last = at);
  }
  return -1;
}

static inline int add_column(Table *table, Text name) {
  if (table->columns == MAX_COLUMNS) return table_fail(table, TEXT("the data has more than 256 columns"));
  table->names[table->last = table->columns++] = name;
  return 1;
}

static inline Cell cell_of(Text text) {
  Cell cell = {.kind = text.size ? TEXT_CELL : EMPTY_CELL, .text = text};
  if (number_of(text, &cell.number)) cell.kind = NUMBER_CELL;
  return cell;
}

static inline int make_cells(Table *table) {
  u64 count = (u64)table->rows * table->columns;
  if (count > MAX_CELLS) return table_fail(table, TEXT("the data has more than 2,000,000 values"));
  table->cells = allocate_array((u32)count + 1, sizeof(Cell));
  __builtin_memset(table->cells, 0, (u32)count * sizeof(Cell));
  return 1;
}

// ---- CSV ----

typedef struct { Text text; u32 at; u8 separator; int row_ended; } Csv;

// The next field of a row. What is quoted may have separators, line breaks and doubled quotes.
static inline Text csv_field(Csv *in) {
  Text text = in->text;
  in->row_ended = 0;
  Text field;
  if (in->at < text.size && text.data[in->at] == '"') {
    u32 start = ++in->at;
    int doubled = 0;
    while (in->at < text.size) {
      if (text.data[in->at] != '"') {
        in->at++;
      } else if (in->at + 1 < text.size && text.data[in->at + 1] == '"') {
        doubled = 1;
        in->at += 2;
      } else {
        break;
      }
    }
    field = part(text, start, in->at);
    if (in->at < text.size) in->at++;
    u32 rest = in->at;  // what follows the quote belongs to it: nothing is lost
    while (in->at < text.size && text.data[in->at] != in->separator && text.data[in->at] != '\n' && text.data[in->at] != '\r') in->at++;
    if (doubled || in->at > rest) {
      Buffer out = {0};
      for (u32 i = 0; i < field.size; i++) {
        add(&out, field.data[i]);
        if (field.data[i] == '"') i++;
      }
      add_text(&out, part(text, rest, in->at));
      field = text_of(out);
    }
  } else {
    u32 start = in->at;
    while (in->at < text.size && text.data[in->at] != in->separator && text.data[in->at] != '\n' && text.data[in->at] != '\r') in->at++;
    field = part(text, start, in->at);
  }
  if (in->at < text.size && text.data[in->at] == in->separator) {
    in->at++;
    return field;
  }
  in->row_ended = 1;
  if (in->at < text.size && text.data[in->at] == '\r') in->at++;
  if (in->at < text.size && text.data[in->at] == '\n') in->at++;
  return field;
}

static inline int read_csv(Table *table, Text text, u8 separator) {
  if (starts_with(text, TEXT("\xEF\xBB\xBF"))) text = part(text, 3, text.size);
  if (!separator) {
    u32 commas = 0, semicolons = 0;
    for (u32 i = 0; i < text.size && text.data[i] != '\n'; i++)
      commas += text.data[i] == ',', semicolons += text.data[i] == ';';
    separator = semicolons > commas ? ';' : ',';
  }
  Csv in = {text, 0, separator, 0};
  if (!text.size) return make_cells(table);
  do {
    Text name = trimmed(csv_field(&in));
    if (!name.size) {
      Buffer out = {0};
      ADD(&out, "column "), add_decimal(&out, table->columns + 1);
      name = text_of(out);
    }
    if (!add_column(table, name)) return 0;
  } while (!in.row_ended);
  u32 start = in.at;
  for (u32 pass = 0; pass < 2; pass++) {
    in.at = start;
    u32 row = 0;
    for (; in.at < text.size; row++) {
      if (text.data[in.at] == '\n' || text.data[in.at] == '\r') {  // an empty line is no row
        in.at++, row--;
        continue;
      }
      for (u32 column = 0;; column++) {
        u32 mark = arena_end;
        Text field = csv_field(&in);
        if (!pass) arena_end = mark;
        if (column >= table->columns && field.size) {
          Buffer out = {0};
          ADD(&out, "row "), add_decimal(&out, row + 1), ADD(&out, " has more values than there are columns (");
          add_decimal(&out, table->columns), add(&out, ')');
          return table_fail(table, text_of(out));
        }
        if (pass && column < table->columns) table->cells[row * table->columns + column] = cell_of(field);
        if (in.row_ended) break;
      }
    }
    table->rows = row;
    if (!pass && !make_cells(table)) return 0;
  }
  return 1;
}

// ---- JSON ----

enum { MAX_NAME = 1024 };
static u8 name_at[MAX_NAME];  // of the column that is being read, with those that it is in

// One object: its columns, or with `cells` its values. The first `prefix` bytes of the name are
// those of the object that it is in.
static inline int read_object(Table *table, Json *in, u32 prefix, u32 depth, Cell *cells) {
  if (depth > JSON_MAX_DEPTH) return json_fail(in, TEXT("it is nested too deeply"));
  if (!json_take(in, '{')) return json_fail(in, TEXT("a row is not an object"));
  if (json_take(in, '}')) return 1;
  do {
    json_peek(in);
    u32 start = in->at, mark = arena_end;
    if (!json_skip_string(in)) return 0;
    Text key = json_string(part(in->text, start, in->at));
    if (prefix + 1 + key.size > MAX_NAME) return json_fail(in, TEXT("a name is longer than 1000 bytes"));
    u32 size = prefix;
    if (prefix) name_at[size++] = '.';
    __builtin_memcpy(name_at + size, key.data, key.size);
    size += key.size;
    arena_end = mark;
    if (!json_take(in, ':')) return json_fail(in, TEXT("a colon is missing"));
    if (json_peek(in) == '{') {
      if (!read_object(table, in, size, depth + 1, cells)) return 0;
      continue;
    }
    Text value;
    if (!json_value(in, depth, &value)) return 0;
    Text name = {name_at, size};
    i32 column = find_column(table, name);
    if (!cells) {
      if (column < 0 && !add_column(table, joined3(name, TEXT(""), TEXT("")))) return 0;
      continue;
    }
    if (column < 0) __builtin_trap();  // they were all found before
    Cell cell = {.kind = RAW_CELL, .text = value};
    if (value.data[0] == '"') {
      cell.text = json_string(value);
      cell.kind = cell.text.size ? TEXT_CELL : EMPTY_CELL;
    } else if (same(value, TEXT("null"))) {
      cell = (Cell){0};
    } else if (number_of(value, &cell.number)) {
      cell.kind = NUMBER_CELL;
    }
    cells[column] = cell;
  } while (json_take(in, ','));
  return json_take(in, '}') ? 1 : json_fail(in, TEXT("a comma or } is missing"));
}

// Goes to the value that `path` (names with dots between) leads to.
static inline int json_go(Json *in, Text path) {
  for (u32 start = 0; start < path.size;) {
    u32 end = start;
    while (end < path.size && path.data[end] != '.') end++;
    Text wanted = part(path, start, end);
    start = end + 1;
    int found = 0;
    if (!json_take(in, '{')) return json_fail(in, TEXT("at: there is no object there"));
    if (json_peek(in) != '}') {
      do {
        json_peek(in);
        u32 from = in->at, mark = arena_end;
        if (!json_skip_string(in)) return 0;
        found = same(json_string(part(in->text, from, in->at)), wanted);
        arena_end = mark;
        if (!json_take(in, ':')) return json_fail(in, TEXT("a colon is missing"));
        if (found) break;
        if (!json_skip(in, 1)) return 0;
      } while (json_take(in, ','));
    }
    if (!found) return json_fail(in, TEXT("at: there is nothing of that name"));
  }
  return 1;
}

static inline int read_json(Table *table, Text text, Text path, int lines) {
  Json in = {.text = text};
  if (starts_with(text, TEXT("\xEF\xBB\xBF"))) in.at = 3;
  u32 start = in.at;
  int single = 0;
  if (!lines) {
    if (!json_go(&in, path)) return table_fail(table, json_error(&in));
    single = json_peek(&in) == '{';
    start = in.at;
  }
  for (u32 pass = 0; pass < 2; pass++) {
    u32 row = 0;
    in.at = start;
    int array = !lines && !single;
    if (array && !json_take(&in, '[')) {
      json_fail(&in, TEXT("the rows have to be an array of objects"));
      return table_fail(table, json_error(&in));
    }
    if (!(array && json_take(&in, ']'))) {
      for (;; row++) {
        if (lines && !json_peek(&in)) break;
        if (!read_object(table, &in, 0, 1, pass ? table->cells + (u64)row * table->columns : 0))
          return table_fail(table, table->error.size ? table->error : json_error(&in));
        if (single || (array && !json_take(&in, ','))) {
          row++;
          break;
        }
      }
      if (array && !json_take(&in, ']')) json_fail(&in, TEXT("a comma or ] is missing"));
      if (single || array) {
        if (!in.error.size && !path.size && json_peek(&in)) json_fail(&in, TEXT("more follows its end"));
        if (in.error.size) return table_fail(table, json_error(&in));
      }
    }
    table->rows = row;
    if (!pass && !make_cells(table)) return 0;
  }
  return 1;
}

// `format` is -1 if it is to be found out.
static inline int read_table(Table *table, Text text, i32 format, Text path) {
  *table = (Table){0};
  if (text.size > MAX_DATA) return table_fail(table, TEXT("data: is larger than 16 MiB"));
  text = as_utf8(text);
  if (format < 0) {
    Json in = {.text = text};
    u8 first = json_peek(&in);
    format = first == '[' ? JSON : CSV;
    if (first == '{') {
      Text object;
      format = json_value(&in, 1, &object) && json_peek(&in) ? JSONL : JSON;
      if (in.error.size) return table_fail(table, json_error(&in));
    } else if (first != '[') {
      u32 tabs = 0, others = 0;
      for (u32 i = 0; i < text.size && text.data[i] != '\n'; i++)
        tabs += text.data[i] == '\t', others += text.data[i] == ',' || text.data[i] == ';';
      if (tabs > others) format = TSV;
    }
  }
  return format >= JSON ? read_json(table, text, path, format == JSONL) : read_csv(table, text, format == TSV ? '\t' : 0);
}
