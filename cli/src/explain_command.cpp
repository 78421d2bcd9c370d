// wherry explain: what a text becomes inside a model.

#include "commands.hpp"
#include "explain_page.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "terminal.hpp"

#include <wherry/llm/random_model.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <sstream>

namespace wherry::cli {
namespace {

constexpr std::size_t columns_max = 16;  // of an attention table on a terminal
constexpr std::size_t piece_columns = 12;

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

std::string padded(std::string text, std::size_t columns) {
  text = one_line(text, columns);
  std::size_t shown = 0;
  for (unsigned char c : text) shown += (c & 0xC0) != 0x80 ? 1 : 0;
  return text + std::string(columns > shown ? columns - shown : 0, ' ');
}

std::string right(std::string const& text, std::size_t columns) {
  return std::string(columns > text.size() ? columns - text.size() : 0, ' ') + text;
}

void heading(std::string const& text) { put_raw('\n' + styled_output(style::bold, text) + '\n'); }

double length_of(std::span<float const> row) {
  double squares = 0;
  for (double v : row) squares += v * v;
  return std::sqrt(squares);
}

void show_tokens(inspected_stack const& stack) {
  put(right("#", 4) + right("id", 8) + "  " + padded("piece", piece_columns) + "  embedding row\n");
  for (std::size_t i = 0; i < stack.tokens.size(); ++i) {
    std::string line = right(std::to_string(i), 4) + right(std::to_string(stack.tokens[i].id), 8) + "  " +
                       padded(stack.tokens[i].piece, piece_columns) + " ";
    for (std::size_t d = 0; d < std::min<std::size_t>(stack.embedded.columns, 5); ++d)
      line += right(fixed(stack.embedded[i][d], 3), 8);
    put(line + " ...\n");
  }
}

void show_residual(inspected_stack const& stack) {
  heading("Residual stream: its length at each token, after the embedding and after each layer");
  for (std::size_t i = 0; i < stack.tokens.size(); ++i) {
    std::string line = right(std::to_string(i), 4) + "  " + padded(stack.tokens[i].piece, piece_columns) +
                       right(fixed(length_of(stack.embedded[i]), 2), 8);
    std::size_t const layers = stack.residual.size(), shown = std::min<std::size_t>(layers, 12);
    for (std::size_t l = 0; l < shown; ++l) line += right(fixed(length_of(stack.residual[l][i]), 2), 8);
    put(line + (shown < layers ? " ...\n" : "\n"));
  }
}

// Rows look at columns, in percent.
void show_attention(attention_table const& table, std::vector<inspected_token> const& rows,
                    std::vector<inspected_token> const& columns, std::string const& what) {
  heading(what + ", layer " + std::to_string(table.layer) + ", head " + std::to_string(table.head) +
          ": what each piece looks at, in percent");
  std::size_t const shown = std::min(columns.size(), columns_max);
  std::string head(4 + 2 + piece_columns, ' ');
  for (std::size_t j = 0; j < shown; ++j) head += ' ' + padded(columns[j].piece, 5);
  put(head + '\n');
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string line = right(std::to_string(i), 4) + "  " + padded(rows[i].piece, piece_columns);
    for (std::size_t j = 0; j < shown; ++j) {
      double const share = table.shares[i][j];
      line += right(share == 0 ? "." : fixed(100 * share, 0), 6);
    }
    put(line + '\n');
  }
  if (shown < columns.size())
    put("(the first " + std::to_string(shown) + " of " + std::to_string(columns.size()) +
        " columns; --html FILE shows all of them)\n");
}

std::string likely_text(likely_token const& one) {
  return right(fixed(100 * one.probability, 2), 7) + " %  " + padded(one.token.piece, 20) + "  id " +
         std::to_string(one.token.id);
}

void show(inspection const& seen) {
  put(seen.architecture + ", " + seen.kind + ": " + std::to_string(seen.layers) + " layers, " +
      std::to_string(seen.heads) + " heads of " + std::to_string(seen.head_width) + " floats, width " +
      std::to_string(seen.width) + ", " + std::to_string(seen.vocabulary) + " tokens\n");
  put("Positions: " + seen.positions + '\n');
  heading("Pieces");
  show_tokens(seen.text);
  show_residual(seen.text);
  show_attention(seen.text.attention.front(), seen.text.tokens, seen.text.tokens, "Attention");
  if (seen.answer) {
    heading("Answer");
    show_tokens(*seen.answer);
    show_attention(seen.answer->attention.front(), seen.answer->tokens, seen.answer->tokens, "Attention of the answer");
    show_attention(seen.answer->across.front(), seen.answer->tokens, seen.text.tokens, "Cross-attention");
  }
  if (seen.context_vectors.rows != 0) {
    heading("Context vectors: what the encoder gives for each piece");
    for (std::size_t i = 0; i < seen.text.tokens.size(); ++i) {
      std::string line = right(std::to_string(i), 4) + "  " + padded(seen.text.tokens[i].piece, piece_columns) + " ";
      for (std::size_t d = 0; d < std::min<std::size_t>(seen.context_vectors.columns, 5); ++d)
        line += right(fixed(seen.context_vectors[i][d], 3), 8);
      put(line + " ...\n");
    }
  }
  if (!seen.next.empty()) {
    heading("Next token");
    for (auto const& one : seen.next) put(likely_text(one) + '\n');
  }
  if (!seen.next_by_layer.empty()) {
    heading("The likeliest next token if the model ended after ...");
    for (std::size_t i = 0; i < seen.next_by_layer.size(); ++i)
      put(padded(i == 0 ? "the embedding" : "layer " + std::to_string(i - 1), 16) + likely_text(seen.next_by_layer[i]) +
          '\n');
  }
}

result<gguf_file> file_to_explain(settings const& given) {
  if (choose_model(given.model).source == model_source::random) {
    say_notice(describe_choice({}));
    return make_random_model({});
  }
  auto const file = model_file(given.model);
  if (!file) return file.error();
  return gguf_file::open(*file);
}

}  // namespace

int explain_command(settings const& given) {
  auto const file = file_to_explain(given);
  if (!file) return report(file.error(), given.output.as_json);
  inspect_options options;
  options.kernels = given.model.kernels;
  bool const everything = !given.html.empty() || given.output.as_json;
  options.layer = given.layer;
  options.head = given.head;
  if (!everything) {  // one table is shown
    options.layer = given.layer.value_or(0);
    options.head = given.head.value_or(0);
  }
  slow_work const telling("reading the text");
  auto const seen = inspect(*file, given.text.value_or(""), options);
  if (!seen) return report(seen.error(), given.output.as_json);
  if (!given.html.empty()) {
    std::ofstream out(given.html, std::ios::binary);
    out << explain_page(*seen);
    out.close();
    if (!out)
      return report(error{errc::io_failed, "cannot write the page", "explain", given.html}, given.output.as_json);
    say("wherry: wrote " + given.html);
    if (!given.output.as_json) return exit_ok;
  }
  if (given.output.as_json)
    put_raw(explain_json(*seen) + '\n');
  else
    show(*seen);
  return exit_ok;
}

}  // namespace wherry::cli
