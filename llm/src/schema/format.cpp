#include "schema/format.hpp"

#include <map>

namespace wherry::inline v0 {
namespace schema {

namespace {

std::string group(std::string const& inner) { return "(?:" + inner + ")"; }

std::map<std::string, std::string, std::less<>> make_formats() {
  std::map<std::string, std::string, std::less<>> all;
  // RFC 3339, with the days each month has.
  std::string const leap = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29";
  std::string const date =
      group(leap + "|[0-9]{4}-" +
            group("(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"
                  "02-(?:0[1-9]|1[0-9]|2[0-8])"));
  std::string const time =
      "(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])|"
      "23:59:60(?:\\.[0-9]+)?[Zz])";
  all["date"] = date;
  all["time"] = time;
  all["date-time"] = date + "[Tt]" + time;
  std::string const clock = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)";
  all["duration"] =
      "P(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:" + clock + ")?|" + clock + ")";

  std::string const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
  std::string const host = label + "(?:\\." + label + ")*";
  all["hostname"] = host;
  std::string const octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  std::string const ipv4 = octet + "(?:\\." + octet + "){3}";
  all["ipv4"] = ipv4;
  std::string const h = "[0-9A-Fa-f]{1,4}";
  std::string ipv6 = "(?:" + h + ":){7}" + h + "|(?:" + h + ":){6}" + ipv4 + "|::";
  for (int before = 0; before <= 7; ++before) {
    std::string const left = before == 0 ? ":" : "(?:" + h + ":){" + std::to_string(before) + "}";
    int const after = 7 - before;
    if (before > 0) ipv6 += "|" + left + ":";
    if (after > 0) ipv6 += "|" + left + ":" + h + "(?::" + h + "){0," + std::to_string(after - 1) + "}";
    if (after >= 2) ipv6 += "|" + left + "(?::" + h + "){0," + std::to_string(after - 2) + "}:" + ipv4;
  }
  all["ipv6"] = ipv6;
  std::string const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  all["email"] = group(atom + "(?:\\." + atom + ")*|\"(?:[ !#-\\[\\]-~]|\\\\[ -~])*\"") + "@" +
                 group(host + "|\\[" + ipv4 + "\\]|\\[IPv6:" + group(ipv6) + "\\]");
  std::string const hex = "[0-9A-Fa-f]";
  all["uuid"] = hex + "{8}-" + hex + "{4}-" + hex + "{4}-" + hex + "{4}-" + hex + "{12}";
  std::string const pointer = "(?:/(?:[^~/]|~[01])*)*";
  all["json-pointer"] = "(?:/(?:[^~/\\n\\r\\u2028\\u2029]|[\\n\\r\\u2028\\u2029]|~[01])*)*";
  all["relative-json-pointer"] = "(?:0|[1-9][0-9]*)(?:#|" + pointer + ")";

  // RFC 3986; RFC 3987 adds what lies beyond ASCII.
  for (bool const wide : {false, true}) {
    std::string const beyond = wide ? "\\u00a0-\\u{10ffff}" : "";
    std::string const escaped = "%" + hex + "{2}";
    std::string const unreserved = "A-Za-z0-9._~" + beyond, sub = "!$&'()*+,;=";
    auto const any_of = [&](std::string const& more) {
      return "(?:[" + unreserved + sub + more + "-]|" + escaped + ")";
    };
    std::string const segment = any_of(":@"), user = any_of(":");
    std::string const authority = "(?:" + user + "*@)?(?:\\[(?:" + ipv6 + "|v" + hex +
                                  "+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]|" + any_of("") + "*)(?::[0-9]*)?";
    std::string const rest = "(?:/" + segment + "*)*";
    std::string const tail = "(?:\\?" + any_of(":@/?") + "*)?(?:#" + any_of(":@/?") + "*)?";
    std::string const hierarchy =
        "(?://" + authority + rest + "|/(?:" + segment + "+" + rest + ")?|" + segment + "+" + rest + "|)";
    std::string const relative =
        "(?://" + authority + rest + "|/(?:" + segment + "+" + rest + ")?|" + any_of("@") + "+" + rest + "|)";
    std::string const whole = "[A-Za-z][A-Za-z0-9+.-]*:" + hierarchy + tail;
    all[wide ? "iri" : "uri"] = whole;
    all[wide ? "iri-reference" : "uri-reference"] = group(whole + "|" + relative + tail);
  }
  std::string const variable =
      "(?:[A-Za-z0-9_]|%" + hex + "{2})(?:\\.?(?:[A-Za-z0-9_]|%" + hex + "{2}))*(?::[1-9][0-9]{0,3}|\\*)?";
  all["uri-template"] = "(?:[^\\u0000-\\u0020\"'%<>\\\\^`{|}]|%" + hex + "{2}|\\{[+#./;?&=,!@|]?" + variable + "(?:," +
                        variable + ")*\\})*";
  for (auto& [name, pattern] : all) pattern = "^" + group(pattern) + "$";
  return all;
}

}  // namespace

std::optional<std::string> format_pattern(std::string_view format) {
  static auto const formats = make_formats();
  auto const found = formats.find(format);
  return found == formats.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace schema
}  // namespace wherry::inline v0
