// Seeds for the entry that reads grammars.

#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  using namespace std::string_literals;
  return {
      "",
      "list ::= item (\",\" item)*  # a comment\nitem ::= [a-z]+ | '\"' word '\"'\nword ::= /[^\"]{1,4}/\0\x10\x80\xff"s,
      "s = 'a'{2} 'b'{1,2} [c-e]{2,} 'f'? ;\0abc"s,
      "s ::= \"\\n\\t\\\\\\\"\" '\\x41\\u00e9\\U0001F600' . [^a\\]]\0\x01\xfe\x40"s,
      "sum ::= term (('+' | '-') term)*\nterm ::= [0-9]+ | '(' sum ')'\0\x70\x20\x90\x33\x08"s,
      "a ::= b?\nb ::= a 'x' | /^\\p{L}$/ | /x(?=y)/",
      "a ::= ('' | 'a')*\nb ::= b",
      "answer ::= verdict ': ' reason\nverdict ::= 'yes' | 'no'\nreason ::= /[^\\n]{1,20}/\0\x33\x77\xaa\x11"s,
  };
}
