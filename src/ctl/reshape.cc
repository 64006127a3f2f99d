#include "ctl/reshape.h"

#include <algorithm>
#include <charconv>

#include "ctl/config_verbs.h"

namespace tako::ctl {
namespace {

using model::BucketSpec;
using model::Configuration;
using model::Deployment;
using model::NodeSpec;

Error wrong(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

std::vector<BucketSpec>::iterator find_bucket(Deployment& shape, const std::string& id) {
  return std::find_if(shape.buckets.begin(), shape.buckets.end(), [&](const BucketSpec& b) { return b.id == id; });
}

struct Place {
  BucketSpec* bucket = nullptr;  // null: it is in none
  std::size_t index = 0;
};

Place find_node(Deployment& shape, const std::string& id) {
  for (BucketSpec& bucket : shape.buckets) {
    for (std::size_t i = 0; i < bucket.nodes.size(); ++i) {
      if (bucket.nodes[i].id == id) return {&bucket, i};
    }
  }
  return {};
}

Error no_node(const Deployment& shape, const std::string& id) {
  return wrong("there is no node " + id + " in the active deployment " + shape.name);
}

Error no_bucket(const Deployment& shape, const std::string& id) {
  std::string known;
  for (const BucketSpec& bucket : shape.buckets) known += (known.empty() ? "" : ", ") + bucket.id;
  return wrong("there is no bucket " + id + " in the active deployment " + shape.name + "; it has " + known);
}

// "d-3" -> "d", 3; "d" -> "d", 0: of names that begun() made.
std::pair<std::string, unsigned> stem_of(const std::string& name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string::npos || dash == 0) return {name, 0};
  unsigned number = 0;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + dash + 1, end, number);
  if (error != std::errc() || at != end || number < 2) return {name, 0};
  return {name.substr(0, dash), number};
}

std::string next_name(const Configuration& in_force, const std::string& name) {
  const std::string stem = stem_of(name).first;
  unsigned highest = 1;
  for (const Deployment& deployment : in_force.deployments) {
    const auto [other, number] = stem_of(deployment.name);
    if (other == stem) highest = std::max(highest, number);
  }
  return stem + "-" + std::to_string(highest + 1);
}

}  // namespace

Result<Deployment> add_node(const Configuration& in_force, const std::string& bucket, NodeSpec node) {
  Deployment shape = in_force.active_deployment();
  const auto found = find_bucket(shape, bucket);
  if (found == shape.buckets.end()) return no_bucket(shape, bucket);
  if (const Place there = find_node(shape, node.id); there.bucket) {
    return wrong("node " + node.id + " is in bucket " + there.bucket->id + " already");
  }
  found->nodes.push_back(std::move(node));
  return shape;
}

Result<Deployment> remove_node(const Configuration& in_force, const std::string& node) {
  Deployment shape = in_force.active_deployment();
  const Place place = find_node(shape, node);
  if (!place.bucket) return no_node(shape, node);
  if (place.bucket->nodes.size() == 1) {
    return wrong("node " + node + " is the only one of bucket " + place.bucket->id +
                 "; remove the bucket (tako ctl bucket remove " + place.bucket->id + ") or replace the node");
  }
  place.bucket->nodes.erase(place.bucket->nodes.begin() + static_cast<std::ptrdiff_t>(place.index));
  return shape;
}

Result<Deployment> replace_node(const Configuration& in_force, const std::string& node, NodeSpec with) {
  Deployment shape = in_force.active_deployment();
  const Place place = find_node(shape, node);
  if (!place.bucket) return no_node(shape, node);
  if (find_node(shape, with.id).bucket) {
    return wrong("node " + with.id + " is in the active deployment already; give the new one an id of its own");
  }
  NodeSpec& slot = place.bucket->nodes[place.index];
  if (with.zone.empty()) with.zone = slot.zone;
  slot = std::move(with);
  return shape;
}

Result<Deployment> add_bucket(const Configuration& in_force, BucketSpec bucket) {
  Deployment shape = in_force.active_deployment();
  if (find_bucket(shape, bucket.id) != shape.buckets.end()) return wrong("there is a bucket " + bucket.id + " already");
  for (const NodeSpec& node : bucket.nodes) {
    if (const Place there = find_node(shape, node.id); there.bucket) {
      return wrong("node " + node.id + " is in bucket " + there.bucket->id + " already");
    }
  }
  shape.buckets.push_back(std::move(bucket));
  return shape;
}

Result<Deployment> remove_bucket(const Configuration& in_force, const std::string& bucket) {
  Deployment shape = in_force.active_deployment();
  const auto found = find_bucket(shape, bucket);
  if (found == shape.buckets.end()) return no_bucket(shape, bucket);
  if (shape.buckets.size() == 1) return wrong("bucket " + bucket + " is the only one");
  shape.buckets.erase(found);
  return shape;
}

Result<Deployment> deployment_meant(const Configuration& in_force, const std::string& text) {
  if (const Deployment* known = in_force.find_deployment(text)) {
    if (text != in_force.active) return *known;
    return wrong(text + " is the active deployment; name another one, or a file");
  }
  const Result<Configuration> file = read_config_file(text);
  if (!file && file.code() == ErrorCode::kNotFound) {
    std::string known;
    for (const Deployment& deployment : in_force.deployments) known += (known.empty() ? "" : ", ") + deployment.name;
    return wrong(text + " is neither a file nor a deployment of the configuration in force (" + known + ")");
  }
  if (!file) return file.error();
  return file->target ? *file->target_deployment() : file->active_deployment();
}

Result<Configuration> begun(const Configuration& in_force, Deployment target) {
  if (in_force.target) {
    return {ErrorCode::kConflict, "the cluster is moving to " + *in_force.target + "; finish that (tako ctl deploy " +
                                      "promote) or undo it (tako ctl deploy abort) first"};
  }
  Configuration next = in_force;
  if (target.name == in_force.active) target.name = next_name(in_force, target.name);
  // Those that earlier edits left behind go, so that they do not pile up; what somebody named stays.
  std::erase_if(next.deployments, [&](const Deployment& old) {
    const auto [stem, number] = stem_of(old.name);
    const bool left_behind = number > 0 && stem == stem_of(target.name).first;
    return old.name != next.active && (old.name == target.name || left_behind);
  });
  next.target = target.name;
  next.deployments.push_back(std::move(target));
  return model::checked(next);
}

Result<Configuration> promoted(const Configuration& in_force) {
  if (!in_force.target) return {ErrorCode::kConflict, "nothing is moving: there is no target to promote"};
  Configuration next = in_force;
  next.active = *next.target;
  next.target.reset();
  return model::checked(next);
}

Result<Configuration> aborted(const Configuration& in_force) {
  if (!in_force.target) return {ErrorCode::kConflict, "nothing is moving: there is nothing to undo"};
  Configuration next = in_force;
  const std::string name = *next.target;
  next.target.reset();
  if (stem_of(name).second > 0) std::erase_if(next.deployments, [&](const Deployment& d) { return d.name == name; });
  return model::checked(next);
}

Result<NodeSpec> parse_node(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string hint = "'" + text + "' is no node; expected ID=HOST:PORT";
  if (equals == std::string::npos) return wrong(hint);
  NodeSpec node;
  node.id = text.substr(0, equals);
  const Status id = model::check_id(node.id);
  auto address = model::parse_address(std::string_view(text).substr(equals + 1));
  if (!id || !address) return wrong(hint);
  node.host = std::move(address->host);
  node.port = address->port;
  return node;
}

}  // namespace tako::ctl
