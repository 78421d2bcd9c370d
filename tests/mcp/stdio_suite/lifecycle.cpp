// How a connection begins, what is said about versions, and how it ends.

#include "dialogue.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace stdio_suite {
namespace {

constexpr std::array handshake_revisions{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"};

json first_words(std::string const& revision) {
  return {{"protocolVersion", revision},
          {"capabilities", json::object()},
          {"clientInfo", {{"name", "stdio-suite"}, {"version", "1"}}}};
}

json envelope(std::string const& revision) {
  return {{"_meta",
           {{"io.modelcontextprotocol/protocolVersion", revision},
            {"io.modelcontextprotocol/clientCapabilities", json::object()}}}};
}

void initialize_says_who_serves(dialogue& d) {
  auto const r = d.begin();
  require(r.value("protocolVersion", "") == "2025-11-25", "protocolVersion should be the one that was asked for");
  require(r.contains("capabilities") && r["capabilities"].is_object(), "capabilities should be an object");
  auto const about = r.value("serverInfo", json::object());
  require(about.contains("name") && about.contains("version"), "serverInfo should have a name and a version");
}

template <int N>
void older_revision(dialogue& d) {
  auto const r = d.begin(json::object(), handshake_revisions[N]);
  auto const spoken = r.value("protocolVersion", "");
  require(std::ranges::find(handshake_revisions, spoken) != handshake_revisions.end(),
          "the server should agree on a revision with a handshake, not \"" + spoken + "\"");
  d.result("tools/list");
}

void unknown_revision(dialogue& d) {
  auto const r = d.result("initialize", first_words("1999-01-01"));
  auto const spoken = r.value("protocolVersion", "");
  require(std::ranges::find(handshake_revisions, spoken) != handshake_revisions.end(),
          "the server should offer a revision of its own, not \"" + spoken + "\"");
}

void initialize_needs_a_version(dialogue& d) {
  auto words = first_words("2025-11-25");
  words.erase("protocolVersion");
  require(d.error("initialize", words)["code"] == -32602, "initialize without protocolVersion should be -32602");
}

void ping(dialogue& d) { require(d.result("ping").empty(), "ping should answer {}"); }

void removed_methods(dialogue& d) {
  for (auto const* method : {"ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"})
    require(d.error(method)["code"] == -32601, std::string(method) + " should be -32601 in this revision");
}

void later_methods(dialogue& d) {
  for (auto const* method : {"server/discover", "subscriptions/listen"})
    require(d.error(method)["code"] == -32601, std::string(method) + " should be -32601 in this revision");
}

void discover(dialogue& d) {
  auto const r = d.result("server/discover");
  auto const versions = r.value("supportedVersions", json::array());
  require(std::ranges::find(versions, json("2026-07-28")) != versions.end(),
          "supportedVersions should hold 2026-07-28: " + wherry::to_text(versions));
  require(r.contains("capabilities") && r["capabilities"].is_object(), "capabilities should be an object");
  require(r.contains("ttlMs") && r.contains("cacheScope"), "discover should say how long it may be kept");
}

void unsupported_version(dialogue& d) {
  auto const e = d.error("tools/list", envelope("2099-01-01"));
  require(e["code"] == -32022, "an unknown version should be -32022");
  require(e.contains("data") && e["data"].contains("supported") && e["data"].value("requested", "") == "2099-01-01",
          "the error should say what is supported and what was requested");
}

void envelope_is_needed(dialogue& d) {
  auto params = envelope("2026-07-28");
  params["_meta"].erase("io.modelcontextprotocol/clientCapabilities");
  require(d.error("tools/list", params)["code"] == -32602, "a request without clientCapabilities should be -32602");
}

void no_state_between_requests(dialogue& d) {
  // Each request stands alone: the first may be a call, and discover may come last or never.
  d.result("tools/list");
  d.result("server/discover");
}

void results_name_the_server(dialogue& d) {
  auto const r = d.result("tools/list");
  require(r.value("resultType", "") == "complete", "resultType should be \"complete\"");
  auto const meta = r.value("_meta", json::object());
  require(meta.contains("io.modelcontextprotocol/serverInfo"), "_meta of a result should name the server");
}

void end_of_input(dialogue& d) {
  d.result("tools/list");
  d.server.close_input();
  require(d.server.ended(patience) == 0, "a server whose input ends should exit with 0");
}

void end_before_anything(dialogue& d) {
  d.server.close_input();
  require(d.server.ended(patience) == 0, "a server that was told nothing should exit with 0");
}

void answers_before_it_ends(dialogue& d) {
  auto const id = d.next_id();
  d.server.send(d.request(id, "tools/list"));
  d.server.close_input();
  require(d.answer_of(id).contains("result"), "what was asked before the end should be answered");
  require(d.server.ended(patience) == 0, "the server should then exit with 0");
}

void ends_when_told(dialogue& d) {
  d.result("tools/list");
  d.server.terminate();
  auto const status = d.server.ended(patience);
  require(status == 0 || status == 128 + SIGTERM, "SIGTERM should end a server; it left " + std::to_string(status));
}

constexpr scenario list[] = {
    {"initialize", "initialize agrees on a revision and says who serves", true, false, initialize_says_who_serves,
     false},
    {"initialize-2024-11-05", "a client of 2024-11-05 is served", true, false, older_revision<0>, false},
    {"initialize-2025-03-26", "a client of 2025-03-26 is served", true, false, older_revision<1>, false},
    {"initialize-2025-06-18", "a client of 2025-06-18 is served", true, false, older_revision<2>, false},
    {"initialize-unknown-revision", "an unknown revision is answered with a known one", true, false, unknown_revision,
     false},
    {"initialize-without-version", "initialize without protocolVersion is refused", true, false,
     initialize_needs_a_version, false},
    {"ping", "ping is answered with an empty result", true, false, ping},
    {"removed-methods", "methods that 2026-07-28 removed are not there", false, true, removed_methods},
    {"later-methods", "methods of 2026-07-28 are not there before it", true, false, later_methods},
    {"discover", "server/discover says what is supported", false, true, discover},
    {"unsupported-version", "a version the server does not speak is -32022 with both sides' versions", false, true,
     unsupported_version},
    {"envelope", "a request without what it must say about itself is -32602", false, true, envelope_is_needed},
    {"stateless", "a request needs no other before it", false, true, no_state_between_requests},
    {"result-envelope", "a result has its type and names the server", false, true, results_name_the_server},
    {"end-of-input", "the server ends with its input", true, true, end_of_input},
    {"end-before-anything", "the server ends with its input though nothing was said", true, true, end_before_anything,
     false},
    {"answers-before-it-ends", "what was asked is answered though the input has ended", true, true,
     answers_before_it_ends},
    {"sigterm", "SIGTERM ends the server", true, true, ends_when_told},
};

}  // namespace

std::span<scenario const> lifecycle_scenarios() { return list; }

}  // namespace stdio_suite
