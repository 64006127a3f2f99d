#include "ctl/coordinators.h"

#include <utility>

namespace tako::ctl {
namespace {

using control::Contact;

// Who may make versions after `configuration`; none: whoever is asked.
std::optional<Contact> master_of(const model::Configuration& configuration) {
  for (const auto& coordinator : configuration.coordinators) {
    if (!control::is_master(configuration, coordinator.id)) continue;
    Contact master;
    master.id = "coordinator:" + coordinator.id;
    master.host = coordinator.address.host;
    master.port = coordinator.address.port;
    return master;
  }
  return std::nullopt;
}

void put_first(std::vector<Contact>& contacts, const Contact& first) {
  std::erase(contacts, first);
  contacts.insert(contacts.begin(), first);
}

bool unreachable(const Error& error) {
  return error.code == ErrorCode::kUnsent || error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout;
}

template <class Question>
Task<Result<wire::ReplyTo<Question>>> ask(Coordinators coordinators, Contact coordinator, Question question) {
  const TimePoint deadline = coordinators.loop.now() + kCoordinatorTimeMax;
  const wire::ConfigStamp any;
  auto answer = co_await net::call(coordinators.transport, coordinator.peer(), any, std::move(question), deadline);
  if (!answer) co_return Error(answer.code(), "coordinator at " + coordinator.text() + ": " + answer.error().message);
  co_return answer;
}

}  // namespace

Task<Result<model::Configuration>> fetch_config(Coordinators coordinators) {
  Result<model::Configuration> newest =
      Error(ErrorCode::kInvalid, "there is no coordinator to ask; give one with -c HOST:PORT");
  for (const Contact& coordinator : coordinators.contacts) {
    const wire::FetchConfig fetch;
    const Result<wire::ConfigReply> answer = co_await ask(coordinators, coordinator, fetch);
    if (answer) {
      const std::string source = "the configuration of " + coordinator.text();
      Result<model::Configuration> found = model::parse_config(answer->text, source);
      if (!newest || (found && found->counter > newest->counter)) newest = std::move(found);
    } else if (!newest && newest.code() != ErrorCode::kNotFound) {
      newest = answer.error();
    }
  }
  co_return newest;
}

Task<Result<wire::ConfigReply>> push_change(Coordinators coordinators, wire::PushConfig change) {
  const Result<model::Configuration> in_force = co_await fetch_config(coordinators);
  if (!in_force && in_force.code() != ErrorCode::kNotFound) co_return in_force.error();
  std::optional<Contact> master = in_force ? master_of(*in_force) : std::nullopt;
  std::vector<Contact> contacts = coordinators.contacts;
  if (master) put_first(contacts, *master);

  Result<wire::ConfigReply> answer = Error(ErrorCode::kUnavailable, "there is no coordinator to push to");
  std::optional<Error> refusal;
  for (const Contact& coordinator : contacts) {
    answer = co_await ask(coordinators, coordinator, change);
    if (answer) co_return answer;
    if (master && !unreachable(answer.error())) co_return answer;
    if (!unreachable(answer.error())) refusal = answer.error();
    master.reset();
  }
  if (refusal) co_return *refusal;
  co_return answer;
}

Task<Result<std::string>> fetch_progress(Coordinators coordinators, model::Configuration in_force) {
  std::vector<Contact> contacts = coordinators.contacts;
  if (const auto master = master_of(in_force)) put_first(contacts, *master);
  Error problem(ErrorCode::kUnavailable, "there is no coordinator to ask");
  for (const Contact& coordinator : contacts) {
    const wire::StatusQuery query;
    const Result<wire::StatusReply> answer = co_await ask(coordinators, coordinator, query);
    if (answer) co_return answer->json;
    problem = answer.error();
  }
  co_return problem;
}

}  // namespace tako::ctl
