// Configuration: what a cluster is made of, as a value. The contract of the file's keys: manual/configuration.md.
//
// Read once at start and whenever a coordinator sends another; shared by all loops as a part of a Placement. Whoever
// holds one may rely on it: everything that can be wrong with a file is an Error of parse_config, one line that names
// the file, the line, the key and what is expected. The written form is canonical and loses nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/address.h"
#include "model/record.h"

namespace tako::model {

constexpr std::size_t kIdBytesMax = 255;
constexpr std::size_t kDeploymentNodesMax = 32'767;     // two deployments' nodes are counted in 16 bits
constexpr std::uint64_t kBucketsPerKeyMax = 65'535;     // as it is written; more than there are buckets means all
constexpr std::uint64_t kReplicaBucketsMax = 64;        // as it takes effect: a row of the ring's table
constexpr std::uint64_t kPointsPerBucketMax = 1ull << 40;
constexpr Duration kSyncIntervalMax = hours(1);
constexpr Duration kSyncIntervalDefault = seconds(1);
constexpr Duration kScrubIntervalDefault = hours(14 * 24);

struct NodeSpec {
  std::string id;
  std::string host;
  std::uint16_t port = 0;
  std::uint16_t http_port = 0;  // 0: it serves no HTTP of its own
  std::string zone;             // empty: none stated
  friend bool operator==(const NodeSpec&, const NodeSpec&) = default;
};

struct BucketSpec {
  std::string id;
  std::vector<NodeSpec> nodes;  // at least one, in the order of the file
  std::uint64_t weight = 0;     // `hash.weights`, in the unit of points_per_bucket; 0: none stated, points_per_bucket
  friend bool operator==(const BucketSpec&, const BucketSpec&) = default;
};

struct Deployment {
  std::string name;
  bool read_repair = true;
  bool background_repair = true;
  Duration background_repair_interval = hours(24);
  Duration background_scrub_interval = kScrubIntervalDefault;
  unsigned buckets_per_key = 3;
  std::uint64_t points_per_bucket = 120;  // the weight of buckets that state none
  std::vector<BucketSpec> buckets;        // at least one, in the order of the file
  friend bool operator==(const Deployment&, const Deployment&) = default;
};

struct CoordinatorSpec {
  std::string id;
  Address address;
  friend bool operator==(const CoordinatorSpec&, const CoordinatorSpec&) = default;
};

// When what was answered is on the platter: before the answer, or after `interval` at the latest.
struct SyncPolicy {
  bool always = false;
  Duration interval = kSyncIntervalDefault;
  friend bool operator==(const SyncPolicy&, const SyncPolicy&) = default;
};

// What proxies refuse. Replicas take whatever was ever allowed.
struct Limits {
  std::uint64_t value_bytes = kValueBytesMax;
  friend bool operator==(const Limits&, const Limits&) = default;
};

struct Configuration {
  std::uint64_t counter = 0;  // `version`; 0: a file given by hand, outside any history
  std::uint64_t hash = 0;     // content_hash(*this), as parse_config leaves it
  std::string active;
  std::optional<std::string> target;
  std::vector<Deployment> deployments;
  std::vector<CoordinatorSpec> coordinators;
  std::optional<std::string> master;
  SyncPolicy sync;
  Limits limits;

  // In config.cc: they are long, and half of all files would have them.
  Configuration();
  Configuration(const Configuration& other);
  Configuration(Configuration&& other) noexcept;
  Configuration& operator=(const Configuration& other);
  Configuration& operator=(Configuration&& other) noexcept;
  ~Configuration();

  const Deployment* find_deployment(std::string_view name) const;
  const CoordinatorSpec* find_coordinator(std::string_view id) const;
  const Deployment& active_deployment() const;
  const Deployment* target_deployment() const;  // null: there is none

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// Of a node, a bucket, a deployment, a coordinator or a zone. The message goes on from what it is: "is empty; ...".
Status check_id(std::string_view id);

// YAML or JSON. `name` is the file's, for messages: `x.yaml:12: deployments.d.buckets.b1.n1: port 70000 is out of
// range; expected 1 to 65535`. Errors: kInvalid, kTooLarge.
Result<Configuration> parse_config(std::string_view text, std::string_view name);

// The canonical forms: parse_config of either is the same configuration, with its counter and hash.
std::string to_yaml(const Configuration& configuration);
std::string to_json(const Configuration& configuration);

// XXH3-64 of the canonical YAML without the counter; never 0.
std::uint64_t content_hash(const Configuration& configuration);

// For one that a program put together or changed: held to all the rules of a file, and its hash made good.
Result<Configuration> checked(const Configuration& configuration);

}  // namespace tako::model
