#include <wherry/core/json.hpp>
#include <wherry/llm/message.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("every kind of message part survives JSON byte for byte", "[unit]") {
  std::string const bytes("\x00\xff\x80raw\n", 7);
  message const m{role::assistant,
                  {text_part{"hello \"you\""}, text_part{std::string("cut \xEC\x84")}, reasoning_part{"because", bytes},
                   tool_call{"c1", "convert", "{\"amount\": 1.0,"}, tool_result{"c1", "convert", "1.1", true},
                   image_part{"image/png", bytes, ""}, audio_part{"audio/wav", "", "file:///a.wav"},
                   file_part{"a.txt", "text/plain", bytes, ""}, citation_part{"so", "doc", 3, 9, "ab12"},
                   provider_part{"acme", bytes}}};
  auto const text = to_text(to_json(m));
  auto const back = message_from_json(parse_json(text).value());
  REQUIRE(back);
  CHECK(*back == m);
  CHECK(to_json_text(m) == text);
  CHECK(to_json_text(message{role::tool, {}}) == to_text(to_json(message{role::tool, {}})));
}

TEST_CASE("a message that is none is refused with the reason", "[unit]") {
  auto const refused = [](char const* text) { return message_from_json(parse_json(text).value()).error().message; };
  CHECK(refused("[]").find("\"role\" and \"parts\"") != std::string::npos);
  CHECK(refused(R"({"role":"boss","parts":[]})").find("\"boss\" is no role") != std::string::npos);
  CHECK(refused(R"({"role":"user","parts":[{"type":"smell"}]})").find("\"smell\"") != std::string::npos);
  CHECK(refused(R"({"role":"user","parts":[{"type":"text"}]})").find("lacks \"text\"") != std::string::npos);
  CHECK(refused(R"({"role":"user","parts":[{"type":"provider","provider":"p","bytes":"@"}]})").find("base64") !=
        std::string::npos);
}
