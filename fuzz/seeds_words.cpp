// Seeds for texts that people write.

#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  return {
      "",
      "What did Caroline's brother J. Smith say about the Lord of the Rings on 8 May 2023?",
      "write to (ann@example.org), see https://example.org/a?b=1. C++20, foo_bar, parseJson, NASA, 3.14, $30, 20%, 5 "
      "km",
      "김민수 씨는 서울에서 \"프로젝트\"를 끝냈다. 민수님은 2023년 5월 8일에",
      "「東京物語」を見た。カタカナ語とｆｕｌｌ　ｗｉｄｔｈ。 我在北京",
      "Ünïcödé ﬁ Ǆ İstanbul ß ẞ Éva’s “quoted” «name» e\xCC\x81 \xE2\x80\x8D \xF0\x9F\x98\x80",
      "ภาษาไทย ພາສາລາວ ខ្មែរ မြန်မာ",
      "\xFF\xFE\x80 broken \xE0\x80 \xED\xA0\x80 bytes",
      "<h1>Engine</h1><p>5W-30 &amp; oil</p><ul><li>a<li>b</ul><pre>x < y</pre><table><tr><td>1<td>2</table>",
  };
}
