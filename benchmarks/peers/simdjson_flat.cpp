// simdjson's parser on demand: `simdjson_flat INPUT OUTPUT` writes the flat JSON lines' columns as CSV.
// Reads blocks of whole lines, as simdjson is meant to be used where files do not fit into memory.

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "simdjson.h"

using namespace simdjson;

namespace {

constexpr size_t BLOCK = 1 << 20;

void append(std::string &out, int64_t number, char separator) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end - digits);
  out += separator;
}

// A number's own digits, without what stands behind them.
std::string_view token(ondemand::value value) {
  const std::string_view text = value.raw_json_token();
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

void write_row(ondemand::object row, std::string &out) {
  const int64_t item = row["ITEM_ID"];
  const int64_t user = row["USER_ID"];
  const std::string_view type = row["EVENT_TYPE"];
  const std::string_view value = token(row["EVENT_VALUE"]);
  const int64_t time = row["TIMESTAMP"];
  append(out, item, ',');
  append(out, user, ',');
  out.append(type).append(1, ',').append(value).append(1, ',');
  append(out, time, '\n');
}

void convert(std::FILE *input, std::FILE *output) {
  std::vector<char> block(BLOCK + SIMDJSON_PADDING);
  std::string rows = "ITEM_ID,USER_ID,EVENT_TYPE,EVENT_VALUE,TIMESTAMP\n";
  ondemand::parser parser;
  size_t left = 0;
  for (;;) {
    const size_t read = std::fread(block.data() + left, 1, BLOCK - left, input);
    const size_t length = left + read;
    size_t whole = length;
    while (read > 0 && whole > 0 && block[whole - 1] != '\n') --whole;
    ondemand::document_stream records = parser.iterate_many(block.data(), whole, BLOCK);
    for (auto record : records) write_row(record.get_object(), rows);
    std::fwrite(rows.data(), 1, rows.size(), output);
    rows.clear();
    if (read == 0) return;
    left = length - whole;
    std::memmove(block.data(), block.data() + whole, left);
  }
}

} // namespace

int main(int count, char **arguments) {
  if (count == 2 && std::string_view(arguments[1]) == "--version") {
    std::puts(SIMDJSON_VERSION);
    return EXIT_SUCCESS;
  }
  std::FILE *input = count == 3 ? std::fopen(arguments[1], "rb") : nullptr;
  std::FILE *output = input ? std::fopen(arguments[2], "wb") : nullptr;
  if (!output) {
    std::fputs("usage: simdjson_flat INPUT OUTPUT\n", stderr);
    return EXIT_FAILURE;
  }
  std::setvbuf(input, nullptr, _IONBF, 0);
  try {
    convert(input, output);
  } catch (const simdjson_error &fault) {
    std::fprintf(stderr, "%s\n", fault.what());
    return EXIT_FAILURE;
  }
  return std::fclose(output) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
