#include "control/history.h"

#include <cstdio>

namespace tako::control {

Judgement judge(const wire::ConfigStamp& ours, const wire::ConfigStamp& theirs) {
  if (theirs.counter == 0) return ours.counter == 0 ? Judgement::kSame : Judgement::kOlder;
  if (theirs.counter != ours.counter) return theirs.counter > ours.counter ? Judgement::kNewer : Judgement::kOlder;
  return theirs.hash == ours.hash ? Judgement::kSame : Judgement::kConflict;
}

std::string to_text(const wire::ConfigStamp& stamp) {
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(stamp.hash));
  return std::to_string(stamp.counter) + "-" + hash;
}

std::string Contact::text() const { return host + ":" + std::to_string(port); }

std::vector<Contact> coordinators_of(const model::Configuration& configuration, const std::string& without) {
  std::vector<Contact> contacts;
  for (const auto& coordinator : configuration.coordinators) {
    if (coordinator.id == without) continue;
    Contact contact;
    contact.id = "coordinator:" + coordinator.id;
    contact.host = coordinator.address.host;
    contact.port = coordinator.address.port;
    contacts.push_back(std::move(contact));
  }
  return contacts;
}

bool is_master(const model::Configuration& configuration, const std::string& id) {
  if (configuration.master) return *configuration.master == id;
  return configuration.coordinators.empty() || configuration.coordinators.front().id == id;
}

}  // namespace tako::control
