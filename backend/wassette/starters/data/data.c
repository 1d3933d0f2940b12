// Tables. What the tools do is in data.wit.

#include "../common/files.h"
#include "../common/find.h"
#include "../common/regex.h"
#include "../common/table.h"

AFTER(query, "query")
AFTER(query_file, "query-file")
AFTER(describe, "describe")
AFTER(describe_file, "describe-file")

enum { OUT_JSON, OUT_CSV, OUT_MARKDOWN };
enum { EQUAL, NOT_EQUAL, LESS, AT_MOST, GREATER, AT_LEAST, CONTAINS, STARTS, ENDS, MATCHES, IS_EMPTY, IS_NOT_EMPTY };
enum { COUNT_ROWS, COUNT_DISTINCT, SUM, AVERAGE, MINIMUM, MAXIMUM };
enum { MAX_LISTED = 64 };

typedef struct { u8 is_some, value; } OptionalSmall;
typedef struct { u8 is_some; u32 value; } OptionalNumber;
typedef struct { u8 is_some; List list; } OptionalList;
typedef struct { Text column; u8 comparison; OptionalText value; } Condition;
typedef struct { u8 function; OptionalText column, name; } Aggregate;
typedef struct { Text column; OptionalSmall descending; } SortKey;

// The arguments are more than fit into the parameters of a function: they are in memory.
typedef struct {
  Text data;  // or the path
  OptionalSmall format;
  OptionalText at;
  OptionalList where, group_by, aggregates, sort, columns;
  OptionalNumber offset, limit;
  OptionalSmall output;
} Query;

typedef struct {
  u8 is_error;
  union { Text error; struct { Text text; u32 rows, total; } table; } value;
} TableResult;

static Table table;
static Text wrong;
static int refuse(Text why) { return wrong = why, 0; }

static int column_at(Text name, u32 *column) {
  i32 found = find_column(&table, name);
  if (found >= 0) return *column = (u32)found, 1;
  Buffer out = {0};
  ADD(&out, "there is no column "), add_quoted(&out, name), ADD(&out, "; there are: ");
  for (u32 i = 0; i < table.columns && i < 40; i++) {
    if (i) ADD(&out, ", ");
    add_text(&out, table.names[i]);
  }
  return refuse(text_of(out));
}

// Numbers first, then texts, then what is empty.
static int compare_cells(const Cell *a, const Cell *b) {
  u32 x = a->kind == NUMBER_CELL ? 0 : a->kind == EMPTY_CELL ? 2 : 1;
  u32 y = b->kind == NUMBER_CELL ? 0 : b->kind == EMPTY_CELL ? 2 : 1;
  if (x != y) return x < y ? -1 : 1;
  if (x == 0) return a->number < b->number ? -1 : a->number > b->number;
  return x == 1 ? order(a->text, b->text) : 0;
}

static const Cell *cell_at(u32 row, u32 column) { return table.cells + (u64)row * table.columns + column; }

// ---- filtering ----

typedef struct { u32 column; Condition given; Cell value; Regex *re; Search search; } Filter;

static u32 patterns;

static int make_filter(Filter *filter, Condition given) {
  *filter = (Filter){.given = given};
  if (!column_at(given.column, &filter->column)) return 0;
  if (!given.value.is_some && given.comparison < IS_EMPTY)
    return refuse(joined3(TEXT("where: the condition about "), given.column, TEXT(" has no value")));
  filter->value = cell_of(given.value.is_some ? given.value.text : TEXT(""));
  if (given.comparison == CONTAINS) filter->search = search_for(filter->value.text);
  if (given.comparison == MATCHES) {
    if (++patterns > 8) return refuse(TEXT("where: has more than 8 patterns"));
    filter->re = allocate_array(1, sizeof(Regex));
    if (!re_compile(filter->re, given.value.text, 0)) return refuse(re_error(filter->re));
  }
  return 1;
}

static int contains(Search *search, Text text) {
  if (!search->find.size) return 1;
  search->matched = 0;
  for (u32 i = 0; i < text.size; i++)
    if (search_byte(search, text.data[i])) return 1;
  return 0;
}

static int passes(Filter *filter, const Cell *cell) {
  u32 found[2 * RE_MAX_GROUPS];
  Text text = cell->text, value = filter->value.text;
  switch (filter->given.comparison) {
    case CONTAINS: return contains(&filter->search, text);
    case STARTS: return starts_with(text, value);
    case ENDS: return ends_with(text, value);
    case MATCHES: return re_search(filter->re, text, 0, found);
    case IS_EMPTY: return cell->kind == EMPTY_CELL;
    case IS_NOT_EMPTY: return cell->kind != EMPTY_CELL;
  }
  int both = cell->kind == NUMBER_CELL && filter->value.kind == NUMBER_CELL;
  int by = both ? compare_cells(cell, &filter->value) : order(text, value);
  switch (filter->given.comparison) {
    case EQUAL: return by == 0;
    case NOT_EQUAL: return by != 0;
  }
  if (cell->kind == EMPTY_CELL) return 0;  // what is not there is neither more nor less
  switch (filter->given.comparison) {
    case LESS: return by < 0;
    case AT_MOST: return by <= 0;
    case GREATER: return by > 0;
    default: return by >= 0;
  }
}

// The numbers of the rows that pass.
static int filtered(OptionalList where, u32 **rows, u32 *count) {
  u32 conditions = where.is_some ? where.list.count : 0;
  if (conditions > MAX_LISTED) return refuse(TEXT("where: has more than 64 conditions"));
  patterns = 0;
  Filter *filters = allocate_array(conditions + 1, sizeof(Filter));
  for (u32 i = 0; i < conditions; i++)
    if (!make_filter(filters + i, ((const Condition *)where.list.data)[i])) return 0;
  *rows = allocate_array(table.rows + 1, 4);
  *count = 0;
  for (u32 row = 0; row < table.rows; row++) {
    u32 i = 0;
    while (i < conditions && passes(filters + i, cell_at(row, filters[i].column))) i++;
    if (i == conditions) (*rows)[(*count)++] = row;
  }
  for (u32 i = 0; i < conditions; i++)
    if (filters[i].re && filters[i].re->steps > RE_MAX_STEPS)
      return refuse(TEXT("where: the pattern takes too long with this data"));
  return 1;
}

// ---- sorting ----

typedef struct { u32 column; int descending; } Key;
static Key keys[MAX_COLUMNS];
static u32 key_count;

static int compare_rows(u32 a, u32 b) {
  for (u32 i = 0; i < key_count; i++) {
    const Cell *x = cell_at(a, keys[i].column), *y = cell_at(b, keys[i].column);
    int by = compare_cells(x, y);
    if (by) return keys[i].descending && x->kind != EMPTY_CELL && y->kind != EMPTY_CELL ? -by : by;
  }
  return 0;
}

// Stable. Returns the array that has the result.
static u32 *sorted(u32 *rows, u32 count) {
  u32 *other = allocate_array(count + 1, 4);
  for (u32 run = 1; run < count; run *= 2) {
    for (u32 start = 0; start < count; start += 2 * run) {
      u32 middle = count - start < run ? count : start + run;
      u32 stop = count - middle < run ? count : middle + run;
      for (u32 i = start, a = start, b = middle; i < stop; i++)
        other[i] = a < middle && (b == stop || compare_rows(rows[a], rows[b]) <= 0) ? rows[a++] : rows[b++];
    }
    u32 *swap = rows;
    rows = other, other = swap;
  }
  return rows;
}

// ---- grouping ----

static Cell counted(u32 count) {
  Buffer out = {0};
  add_decimal(&out, count);
  return (Cell){NUMBER_CELL, text_of(out), count};
}

static Cell measured(double value) {
  Buffer out = {0};
  if (!is_finite(value)) return (Cell){0};
  add_double(&out, value);
  return (Cell){NUMBER_CELL, text_of(out), value};
}

static Cell aggregate_of(u8 function, int has_column, u32 column, u32 *rows, u32 count) {
  if (function == COUNT_ROWS && !has_column) return counted(count);
  u32 filled = 0, numbers = 0, distinct = 0;
  double sum = 0, lost = 0;  // Kahan's: what rounding took away is kept
  const Cell *least = 0, *most = 0;
  for (u32 i = 0; i < count; i++) {
    const Cell *cell = cell_at(rows[i], column);
    if (cell->kind == EMPTY_CELL) continue;
    filled++;
    if (!least || compare_cells(cell, least) < 0) least = cell;
    if (!most || compare_cells(cell, most) > 0) most = cell;
    if (cell->kind != NUMBER_CELL) continue;
    numbers++;
    double value = cell->number - lost, next = sum + value;
    lost = next - sum - value;
    sum = next;
  }
  switch (function) {
    case COUNT_ROWS: return counted(filled);
    case SUM: return measured(sum);
    case AVERAGE: return numbers ? measured(sum / numbers) : (Cell){0};
    case MINIMUM: return least ? *least : (Cell){0};
    case MAXIMUM: return most ? *most : (Cell){0};
  }
  keys[0] = (Key){column, 0};
  key_count = 1;
  u32 mark = arena_end;
  u32 *copy = allocate_array(count + 1, 4);
  __builtin_memcpy(copy, rows, count * 4);
  copy = sorted(copy, count);
  for (u32 i = 0; i < count; i++)
    if (cell_at(copy[i], column)->kind != EMPTY_CELL)
      distinct += !i || compare_rows(copy[i - 1], copy[i]) != 0;
  arena_end = mark;
  return counted(distinct);
}

static Text aggregate_name(const Aggregate *of) {
  static const Text names[] = {TEXT("count"), TEXT("count-distinct"), TEXT("sum"), TEXT("average"), TEXT("minimum"), TEXT("maximum")};
  if (of->name.is_some) return of->name.text;
  if (!of->column.is_some) return names[of->function];
  Buffer out = {0};
  add_text(&out, names[of->function]), add(&out, '('), add_text(&out, of->column.text), add(&out, ')');
  return text_of(out);
}

// Puts a table of groups in the place of the table.
static int grouped(const Query *query, u32 **rows, u32 *count) {
  u32 by = query->group_by.is_some ? query->group_by.list.count : 0;
  u32 made = query->aggregates.is_some ? query->aggregates.list.count : 0;
  if (!by && !made) return 1;
  if (by > MAX_LISTED || made > MAX_LISTED) return refuse(TEXT("group-by, aggregates: have more than 64"));
  const Text *names = query->group_by.list.data;
  const Aggregate *aggregates = query->aggregates.list.data;
  Key group_keys[MAX_LISTED];
  u32 columns[MAX_LISTED];
  for (u32 i = 0; i < by; i++) {
    group_keys[i].descending = 0;
    if (!column_at(names[i], &group_keys[i].column)) return 0;
  }
  for (u32 i = 0; i < made; i++) {
    columns[i] = 0;
    if (!aggregates[i].column.is_some && aggregates[i].function != COUNT_ROWS)
      return refuse(TEXT("aggregates: only count goes without a column"));
    if (aggregates[i].column.is_some && !column_at(aggregates[i].column.text, columns + i)) return 0;
  }
  __builtin_memcpy(keys, group_keys, by * sizeof(Key));
  key_count = by;
  u32 *all = by ? sorted(*rows, *count) : *rows, groups = by ? 0 : 1;
  for (u32 i = 0; by && i < *count; i++) groups += !i || compare_rows(all[i - 1], all[i]);
  static Table result_table;
  result_table = (Table){.columns = by + made, .rows = groups};
  for (u32 i = 0; i < by; i++) result_table.names[i] = names[i];
  for (u32 i = 0; i < made; i++) result_table.names[by + i] = aggregate_name(aggregates + i);
  if (!make_cells(&result_table)) return refuse(result_table.error);
  for (u32 start = 0, group = 0; group < groups; group++) {
    u32 stop = start + 1;
    __builtin_memcpy(keys, group_keys, by * sizeof(Key));
    key_count = by;
    while (stop < *count && (!by || !compare_rows(all[start], all[stop]))) stop++;
    if (!*count) stop = start;
    Cell *cells = result_table.cells + (u64)group * result_table.columns;
    for (u32 i = 0; i < by; i++) cells[i] = *cell_at(all[start], group_keys[i].column);
    for (u32 i = 0; i < made; i++)
      cells[by + i] = aggregate_of(aggregates[i].function, aggregates[i].column.is_some, columns[i], all + start, stop - start);
    start = stop;
  }
  table = result_table;
  *rows = allocate_array(groups + 1, 4);
  for (u32 i = 0; i < groups; i++) (*rows)[i] = i;
  *count = groups;
  return 1;
}

// ---- writing ----

static void add_cell(Buffer *out, const Cell *cell, u32 output) {
  if (output == OUT_JSON) {
    if (cell->kind == EMPTY_CELL) cell->text.data ? ADD(out, "\"\"") : ADD(out, "null");
    else if (cell->kind == TEXT_CELL) add_quoted(out, cell->text);
    else add_text(out, cell->text);
    return;
  }
  Text text = cell->text;
  if (output == OUT_CSV) {
    int quoted = 0;
    for (u32 i = 0; i < text.size; i++)
      quoted |= text.data[i] == ',' || text.data[i] == '"' || text.data[i] == '\n' || text.data[i] == '\r';
    if (quoted) add(out, '"');
    for (u32 i = 0; i < text.size; i++) {
      if (text.data[i] == '"') add(out, '"');
      add(out, text.data[i]);
    }
    if (quoted) add(out, '"');
    return;
  }
  for (u32 i = 0; i < text.size; i++) {
    u8 c = text.data[i];
    if (c == '|' || c == '\\') add(out, '\\');
    add(out, c == '\n' || c == '\r' ? ' ' : c);
  }
}

static void add_row(Buffer *out, const Cell *cells, const u32 *columns, u32 count, u32 output) {
  if (output == OUT_MARKDOWN) ADD(out, "| ");
  for (u32 i = 0; i < count; i++) {
    if (i) output == OUT_MARKDOWN ? ADD(out, " | ") : ADD(out, ",");
    add_cell(out, cells + columns[i], output);
  }
  output == OUT_MARKDOWN ? ADD(out, " |\n") : ADD(out, "\n");
}

static int write_rows(Buffer *out, const u32 *rows, u32 count, const u32 *columns, u32 column_count, u32 output) {
  if (output == OUT_JSON) add(out, '[');
  else {
    Cell names[MAX_COLUMNS];
    for (u32 i = 0; i < table.columns; i++) names[i] = (Cell){TEXT_CELL, table.names[i], 0};
    add_row(out, names, columns, column_count, output);
    if (output == OUT_MARKDOWN) {
      add(out, '|');
      for (u32 i = 0; i < column_count; i++) ADD(out, "---|");
      add(out, '\n');
    }
  }
  for (u32 i = 0; i < count; i++) {
    const Cell *cells = table.cells + (u64)rows[i] * table.columns;
    if (out->size > MAX_RESULT - (1 << 20)) return refuse(TEXT("limit: the rows have more than 15 MiB"));
    if (output != OUT_JSON) {
      add_row(out, cells, columns, column_count, output);
      continue;
    }
    i ? ADD(out, ",\n{") : ADD(out, "{");
    for (u32 j = 0; j < column_count; j++) {
      if (j) ADD(out, ", ");
      add_quoted(out, table.names[columns[j]]), ADD(out, ": "), add_cell(out, cells + columns[j], output);
    }
    add(out, '}');
  }
  if (output == OUT_JSON) add(out, ']');
  return out->size <= MAX_RESULT - 1024 || refuse(TEXT("limit: the rows have more than 15 MiB"));
}

static int run(const Query *query, TableResult *answer) {
  u32 *rows, count, columns[MAX_COLUMNS], column_count;
  if (!filtered(query->where, &rows, &count) || !grouped(query, &rows, &count)) return 0;
  u32 sorts = query->sort.is_some ? query->sort.list.count : 0;
  if (sorts > MAX_LISTED) return refuse(TEXT("sort: has more than 64 columns"));
  Key sort_keys[MAX_LISTED];
  for (u32 i = 0; i < sorts; i++) {
    SortKey key = ((const SortKey *)query->sort.list.data)[i];
    sort_keys[i].descending = key.descending.is_some && key.descending.value;
    if (!column_at(key.column, &sort_keys[i].column)) return 0;
  }
  __builtin_memcpy(keys, sort_keys, sorts * sizeof(Key));
  key_count = sorts;
  if (sorts) rows = sorted(rows, count);
  column_count = query->columns.is_some ? query->columns.list.count : table.columns;
  if (column_count > MAX_COLUMNS) return refuse(TEXT("columns: has more than 256"));
  for (u32 i = 0; i < column_count; i++) {
    columns[i] = i;
    if (query->columns.is_some && !column_at(((const Text *)query->columns.list.data)[i], columns + i)) return 0;
  }
  u32 offset = query->offset.is_some ? query->offset.value : 0;
  u32 limit = query->limit.is_some ? query->limit.value : 1000;
  if (offset > count) offset = count;
  u32 shown = count - offset < limit ? count - offset : limit;
  Buffer out = {0};
  if (!write_rows(&out, rows + offset, shown, columns, column_count, query->output.is_some ? query->output.value : OUT_JSON)) return 0;
  answer->value.table.text = text_of(out);
  answer->value.table.rows = shown;
  answer->value.table.total = count;
  return 1;
}

static int load(Text data, OptionalSmall format, OptionalText at, int is_file) {
  i32 kind = format.is_some ? format.value : -1;
  if (is_file) {
    Text path = data;
    if (!clean_path(&path)) return refuse(path);
    if (!read_text(path, &data)) return refuse(data);
    if (kind < 0) kind = ends_with(path, TEXT(".csv")) ? CSV : ends_with(path, TEXT(".tsv")) ? TSV
                       : ends_with(path, TEXT(".json")) ? JSON : ends_with(path, TEXT(".jsonl")) ? JSONL : -1;
  }
  return read_table(&table, data, kind, at.is_some ? at.text : TEXT("")) || refuse(table.error);
}

static TableResult *answer_to(const Query *query, int is_file) {
  static TableResult answer;
  int ok = load(query->data, query->format, query->at, is_file) && run(query, &answer);
  answer.is_error = !ok;
  if (!ok) answer.value.error = as_utf8(wrong);
  return &answer;
}

EXPORT("query") TableResult *query(const Query *query) { return answer_to(query, 0); }
EXPORT("query-file") TableResult *query_file(const Query *query) { return answer_to(query, 1); }

// ---- describing ----

enum { KIND_NUMBER, KIND_TEXT, KIND_MIXED, KIND_EMPTY };
typedef struct { Text name; u8 kind; u32 filled, distinct; OptionalText minimum, maximum; } Column;
typedef struct {
  u8 is_error;
  union { Text error; struct { u32 rows; List columns; } description; } value;
} DescriptionResult;

static OptionalText shown(Cell cell) {
  Text text = cell.text;
  if (text.size > 100) {
    text.size = 100;
    while (text.size && (text.data[text.size] & 0xC0) == 0x80) text.size--;
  }
  return (OptionalText){cell.kind != EMPTY_CELL, text};
}

static Column described(u32 column, u32 *rows) {
  u32 numbers = 0, filled = 0;
  for (u32 i = 0; i < table.rows; i++) {
    const Cell *cell = cell_at(i, column);
    filled += cell->kind != EMPTY_CELL;
    numbers += cell->kind == NUMBER_CELL;
  }
  return (Column){
      table.names[column],
      !filled ? KIND_EMPTY : numbers == filled ? KIND_NUMBER : numbers ? KIND_MIXED : KIND_TEXT,
      filled,
      (u32)aggregate_of(COUNT_DISTINCT, 1, column, rows, table.rows).number,
      shown(aggregate_of(MINIMUM, 1, column, rows, table.rows)),
      shown(aggregate_of(MAXIMUM, 1, column, rows, table.rows)),
  };
}

static DescriptionResult *description_of(Text data, OptionalSmall format, OptionalText at, int is_file) {
  static DescriptionResult answer;
  answer.is_error = !load(data, format, at, is_file);
  if (answer.is_error) return answer.value.error = as_utf8(wrong), &answer;
  Column *columns = allocate_array(table.columns + 1, sizeof *columns);
  u32 *rows = allocate_array(table.rows + 1, 4);
  for (u32 i = 0; i < table.rows; i++) rows[i] = i;
  for (u32 i = 0; i < table.columns; i++) columns[i] = described(i, rows);
  answer.value.description.rows = table.rows;
  answer.value.description.columns = (List){columns, table.columns};
  return &answer;
}

#define DESCRIBE(function, is_file)                                                            \
  DescriptionResult *function(const u8 *data, u32 size, u32 has_format, u32 format, u32 has_at, \
                              const u8 *at, u32 at_size) {                                     \
    return description_of((Text){data, size}, (OptionalSmall){(u8)has_format, (u8)format},     \
                          (OptionalText){(u8)has_at, {at, at_size}}, is_file);                 \
  }
EXPORT("describe") DESCRIBE(describe, 0)
EXPORT("describe-file") DESCRIBE(describe_file, 1)
