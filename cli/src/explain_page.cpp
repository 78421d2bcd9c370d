#include "explain_page.hpp"

#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>

#include <cmath>

namespace wherry::cli {
namespace {

json token_json(inspected_token const& t) {
  return {{"id", t.id}, {"piece", utf8_repaired(t.piece)}, {"text", utf8_repaired(t.bytes)}};
}

double rounded(double value) { return std::round(value * 1e5) / 1e5; }

json rows_json(float_table const& table) {
  json out = json::array();
  for (std::size_t i = 0; i < table.rows; ++i) {
    json row = json::array();
    for (float v : table[i]) row.push_back(rounded(v));
    out.push_back(std::move(row));
  }
  return out;
}

json attention_json(std::vector<attention_table> const& tables) {
  json out = json::array();
  for (auto const& t : tables) out.push_back({{"layer", t.layer}, {"head", t.head}, {"shares", rows_json(t.shares)}});
  return out;
}

json lengths_json(inspected_stack const& stack) {
  auto const lengths = [](float_table const& table) {
    json out = json::array();
    for (std::size_t i = 0; i < table.rows; ++i) {
      double squares = 0;
      for (double v : table[i]) squares += v * v;
      out.push_back(rounded(std::sqrt(squares)));
    }
    return out;
  };
  json out = json::array();
  out.push_back(lengths(stack.embedded));
  for (auto const& layer : stack.residual) out.push_back(lengths(layer));
  return out;
}

json stack_json(inspected_stack const& stack) {
  json out;
  out["tokens"] = json::array();
  for (auto const& t : stack.tokens) out["tokens"].push_back(token_json(t));
  out["embedded"] = rows_json(stack.embedded);
  out["residual_length"] = lengths_json(stack);
  out["attention"] = attention_json(stack.attention);
  if (!stack.across.empty()) out["cross_attention"] = attention_json(stack.across);
  return out;
}

json likely_json(std::vector<likely_token> const& tokens) {
  json out = json::array();
  for (auto const& one : tokens) {
    auto j = token_json(one.token);
    j["probability"] = rounded(one.probability);
    out.push_back(std::move(j));
  }
  return out;
}

constexpr char const* page_head = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>wherry explain</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2733; background: #fbfbf9; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .15rem .5rem; text-align: right; } th.piece, td.piece { text-align: left; font-family: ui-monospace, monospace; white-space: pre; }
.map td { width: 1.5rem; height: 1.5rem; padding: 0; border: 1px solid #fff; }
.map th.column { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; font-weight: normal; font-family: ui-monospace, monospace; white-space: pre; padding: .2rem 0; }
.bar { display: inline-block; height: .8rem; background: #2f6f8f; vertical-align: middle; }
select { font: inherit; } .note { color: #66727e; } #tip { min-height: 1.5rem; }
</style></head><body>
<h1>What the model does with the text</h1><p id="about"></p><div id="content"></div>
<script type="application/json" id="data">)html";

constexpr char const* page_tail = R"html(</script>
<script>
const d = JSON.parse(document.getElementById('data').textContent);
const content = document.getElementById('content');
function make(name, parent, text, cls) { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (cls) e.className = cls; parent.appendChild(e); return e; }
document.getElementById('about').textContent = `${d.architecture}, ${d.kind}: ${d.layers} layers, ${d.heads} heads of ${d.head_width} floats, width ${d.width}, ${d.vocabulary} tokens. Positions: ${d.positions}.`;
function pieces(title, stack) {
  make('h2', content, title);
  const t = make('table', content), head = make('tr', t);
  for (const h of ['#', 'id', 'piece', 'embedding row']) make('th', head, h, h === 'piece' ? 'piece' : '');
  stack.residual_length.forEach((_, l) => make('th', head, l === 0 ? '|embedding|' : `|layer ${l - 1}|`));
  stack.tokens.forEach((k, i) => {
    const r = make('tr', t);
    make('td', r, i); make('td', r, k.id); make('td', r, k.piece, 'piece');
    make('td', r, stack.embedded[i].slice(0, 4).map(v => v.toFixed(3)).join('  ') + ' …');
    stack.residual_length.forEach(l => make('td', r, l[i].toFixed(2)));
  });
}
function map(title, tables, rows, columns) {
  if (!tables || !tables.length) return;
  make('h2', content, title);
  const bar = make('p', content), box = make('div', content), tip = make('p', content, '', 'note'); tip.textContent = 'Rows look at columns; darker is more.';
  const pick = (label, values) => { make('span', bar, label + ' '); const s = make('select', bar); values.forEach(v => make('option', s, v)); make('span', bar, '  '); return s; };
  const layer = pick('Layer', [...new Set(tables.map(t => t.layer))]), head = pick('Head', [...new Set(tables.map(t => t.head))]);
  const draw = () => {
    box.textContent = '';
    const a = tables.find(t => t.layer == layer.value && t.head == head.value), t = make('table', box, undefined, 'map'), h = make('tr', t);
    make('th', h); columns.forEach(k => make('th', h, k.piece, 'column'));
    a.shares.forEach((row, i) => {
      const r = make('tr', t); make('th', r, rows[i].piece, 'piece');
      row.forEach((s, j) => { const c = make('td', r); c.style.background = `rgba(47,111,143,${Math.sqrt(s)})`; c.title = `${rows[i].piece} looks at ${columns[j].piece}: ${(100 * s).toFixed(1)} %`; });
    });
  };
  layer.onchange = head.onchange = draw; draw();
}
function likely(title, list, names) {
  if (!list || !list.length) return;
  make('h2', content, title);
  const t = make('table', content);
  list.forEach((k, i) => {
    const r = make('tr', t);
    if (names) make('td', r, names(i));
    make('td', r, k.piece, 'piece'); make('td', r, (100 * k.probability).toFixed(2) + ' %');
    const c = make('td', r); c.style.textAlign = 'left'; const b = make('span', c, '', 'bar'); b.style.width = (20 * k.probability) + 'rem';
  });
}
pieces('Pieces and residual stream', d.text);
map('Attention', d.text.attention, d.text.tokens, d.text.tokens);
if (d.answer) { pieces('Answer', d.answer); map('Attention of the answer', d.answer.attention, d.answer.tokens, d.answer.tokens); map('Cross-attention: what the answer looks at in the text', d.answer.cross_attention, d.answer.tokens, d.text.tokens); }
likely('Next token', d.next);
likely('The likeliest next token if the model ended here', d.next_by_layer, i => i === 0 ? 'the embedding' : 'layer ' + (i - 1));
</script></body></html>
)html";

}  // namespace

std::string explain_json(inspection const& seen) {
  json out;
  out["architecture"] = seen.architecture;
  out["kind"] = seen.kind;
  out["positions"] = seen.positions;
  out["layers"] = seen.layers;
  out["heads"] = seen.heads;
  out["head_width"] = seen.head_width;
  out["width"] = seen.width;
  out["vocabulary"] = seen.vocabulary;
  out["text"] = stack_json(seen.text);
  if (seen.answer) out["answer"] = stack_json(*seen.answer);
  if (seen.context_vectors.rows != 0) out["context_vectors"] = rows_json(seen.context_vectors);
  if (!seen.next.empty()) out["next"] = likely_json(seen.next);
  if (!seen.next_by_layer.empty()) out["next_by_layer"] = likely_json(seen.next_by_layer);
  return to_text(out);
}

std::string explain_page(inspection const& seen) {
  // Text from the vocabulary must not end the script element it stands in.
  std::string data;
  for (char c : explain_json(seen)) data += c == '<' ? "\\u003c" : std::string(1, c);
  return page_head + data + page_tail;
}

}  // namespace wherry::cli
