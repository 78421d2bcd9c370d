#pragma once
// Structured output from models whose logits nobody here can see: the answer is validated, and what was wrong with it
// is told to the model, which may try again.

#include <wherry/llm/model.hpp>

#include <cstddef>
#include <memory>

namespace wherry::inline v0 {

struct repair_options {
  std::size_t tries_max = 3;       ///< Answers asked for in all, the first one included; at least 1.
  std::size_t violations_max = 8;  ///< Told to the model at once.
};

/// The same model, whose answers under an output schema or a constraint are valid or an error.
///
/// A request with neither of them, an answer with tool calls, and every answer of a model that decodes under a
/// grammar (capabilities::grammar) pass through unchanged. Otherwise the text is held back until it is whole and valid.
/// After one that is not, the request is made again with the answer and a message of the user that lists the
/// violations; each try has the random numbers of its own. Usage is the sum of all tries, and a notice "repair" says
/// how many there were. The answer's text is what the model wrote, byte for byte.
///
/// Under a constraint it is the model itself that refuses its text (model_request::constraint); the tokens of such a
/// try are not known to the sum.
///
/// Fails with (submit): what the model fails with; errc::schema_unsupported. (stream): what the model fails with;
/// errc::output_invalid after tries_max answers, its message the violations of the last one, its path the place of the
/// first. Deadline and cancellation hold for all tries together.
std::shared_ptr<model> make_repairing(std::shared_ptr<model> inner, repair_options options = {});

}  // namespace wherry::inline v0
