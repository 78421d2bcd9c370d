#include <wherry/core/text.hpp>
#include <wherry/memory/document.hpp>
#include <wherry/memory/html_text.hpp>

#include <wherry/core/random.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("the text of a page keeps its structure", "[memory]") {
  CHECK(html_text(R"(<!DOCTYPE html><html><head><title>Boat</title><style>p { color: red }</style>
<script>if (1 < 2) document.write("<p>no</p>");</script></head>
<body><!-- <p>hidden</p> --><h1 class="a > b">The <em>boat</em></h1>
<p>It is   blue &amp; fast,
caf&eacute; &#x1F6A4; &#8364;5.</p><ul><li>oil<li>sails</ul>
<h2>Engine</h2><table><tr><th>Part<th>Price<tr><td>filter<td>12</table>
<pre>a  b
# c</pre><p># no heading<br>next <img src="x" alt="a &quot;red&quot; buoy">.</body></html>)") ==
        "# The boat\n\nIt is blue & fast, café 🚤 €5.\n\n- oil\n- sails\n\n## Engine\n\nPart | Price\nfilter | 12\n\n"
        "```\na  b\n# c\n```\n\n\\# no heading\nnext a \"red\" buoy .\n");
  auto const text = html_text("<h1>A</h1><p>one</p><h2>B</h2><p>two</p>");
  auto const chunks = chunk_document(text);
  REQUIRE(chunks.size() == 2);
  CHECK(chunks[1].headings == "A > B");
}

TEST_CASE("broken pages are text as far as they can be", "[memory]") {
  CHECK(html_text("").empty());
  CHECK(html_text("<") == "<\n");
  CHECK(html_text("a < b & c &nosuch; &#; &#xZZ; &#0;") == "a < b & c &nosuch; &#; &#xZZ; \uFFFD\n");
  CHECK(html_text("<p>open <b>never closed") == "open never closed\n");
  CHECK(html_text("<script>never closed <p>text").empty());
  CHECK(html_text("<a href=\"never closed> text").empty());
  CHECK(html_text("text <!-- never closed") == "text\n");
  CHECK(html_text("<h1></h1>text") == "text\n");
  CHECK(html_text("<h1>open<p>text") == "# open\n\ntext\n");
  CHECK(html_text("<pre>open") == "```\nopen\n```\n");
  CHECK(html_text("</p></ul></h1></pre>x</script>") == "x\n");
}

TEST_CASE("any bytes of tags give UTF-8, and many are read in time", "[robustness]") {
  constexpr std::string_view parts[]{"<",    ">",         "</",       "<p>",       "<pre>",  "</pre>", "<h1>", "</h1>",
                                     "<!--", "-->",       "&",        ";",         "&#x41;", "&lt;",   "\"",   "'",
                                     "=",    "<img alt=", "<script>", "</script>", "한",     "\n",     "x",    " ",
                                     "<td>", "<li>",      "#",        "<!",        "<?"};
  for (std::uint32_t round = 0; round < 2000; ++round) {
    std::string html;
    for (std::uint32_t i = 0; i < 60; ++i)
      html += parts[random_bits({.run = 7, .step = round, .position = i}) % std::size(parts)];
    auto const text = html_text(html);
    INFO("round " << round);
    REQUIRE(is_valid_utf8(text));
    for (auto const& chunk : chunk_document(text)) REQUIRE(chunk.end <= text.size());
  }
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<div a=\"";
  CHECK(html_text(deep).empty());
  std::string lines;
  for (int i = 0; i < 200'000; ++i) lines += "<p>&<!x></p";
  CHECK_FALSE(html_text(lines).empty());
}
