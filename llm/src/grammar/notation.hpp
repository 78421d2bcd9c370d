#pragma once
// Values of a schema that are not written as JSON: models have their own notations for the arguments of a call. Marks
// are sequences of literals and control tokens.

#include <wherry/llm/grammar.hpp>

#include <optional>
#include <string>

namespace wherry::inline v0 {
namespace grammar {

struct notation {
  std::string true_text = "true";
  std::string false_text = "false";
  std::string null_text = "null";

  struct marks {
    expr before, behind;
  };
  /// All texts stand raw between these marks, and so do names that are no plain words; plain words stand bare.
  std::optional<marks> texts = {};

  /// How the outermost value is written, which is an object.
  struct arguments {
    expr between;  ///< Of two members; nothing stands around all of them.
    expr before_name;
    std::string names;            ///< A pattern: members whose names do not match cannot be written.
    marks value;                  ///< Around a member's value, behind its name.
    std::optional<marks> text{};  ///< Around one that is a text: it stands raw there. Absent: like other values.
  };
  std::optional<arguments> outermost = {};
};

/// Values of a schema in a notation; otherwise as json_schema(). Raw text holds nothing that ends it. Objects whose
/// names stand bare have the members that their schema names and no others.
/// compile() fails with errc::schema_unsupported, naming the member, where no value of the schema can be written so.
expr schema_in_notation(raw_json schema, notation written, bounds const& limits = {});

}  // namespace grammar
}  // namespace wherry::inline v0
