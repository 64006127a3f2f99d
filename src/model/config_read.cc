// parse_config: from a Tree to a Configuration that keeps every rule.
#include <algorithm>
#include <unordered_map>

#include "model/config.h"
#include "model/config_fields.h"
#include "model/tree.h"

namespace tako::model {
namespace {

using namespace fields;

class Reader {
 public:
  Configuration read(const Tree& root) {
    if (root.kind == Tree::Kind::kNull) fail(1, "", "the file is empty; expected active_deployment and deployments");
    const Entries keys = entries_of(root, "", "active_deployment and deployments");
    check_known(keys, "", {"active_deployment", "target_deployment", "deployments", "coordinators",
                           "master_coordinator", "version", "sync", "limits"});
    if (const Entry* version = find(keys, "version")) {
      config_.counter = read_number(version->value, version->path, "", {0, (1ull << 63) - 1});
    }
    if (const Entry* sync = find(keys, "sync")) read_sync(*sync);
    if (const Entry* limits = find(keys, "limits")) read_limits(*limits);
    read_deployments(root, keys);
    read_coordinators(keys);
    config_.hash = content_hash(config_);
    return std::move(config_);
  }

 private:
  // Who has an id or an address, and since which line.
  struct Claim {
    std::string id;
    std::string host;
    std::uint16_t port;
    std::uint16_t http_port;
    std::string path;
    unsigned line;
  };
  using Claims = std::unordered_map<std::string, Claim>;  // by `host:port`

  void read_sync(const Entry& entry) {
    if (is_scalar(entry.value) && entry.value.text == "always") {
      config_.sync.always = true;
      return;
    }
    const std::string hint = "; expected always, or an interval up to 1h";
    const Result<Duration> interval = is_scalar(entry.value) ? parse_interval(entry.value.text) : Result<Duration>();
    if (!interval || *interval > kSyncIntervalMax) {
      fail(entry.value.line, entry.path, "is " + kind_of(entry.value) + hint);
    }
    config_.sync.interval = *interval;
  }

  void read_limits(const Entry& entry) {
    const Entries keys = entries_of(entry.value, entry.path, "value_bytes");
    check_known(keys, entry.path, {"value_bytes"});
    if (const Entry* bytes = find(keys, "value_bytes")) {
      config_.limits.value_bytes = read_bytes(*bytes, {1, kValueBytesMax});
    }
  }

  void read_deployments(const Tree& root, const Entries& keys) {
    const Entry* deployments = find(keys, "deployments");
    if (deployments == nullptr) fail(root.line, "", "deployments is missing; expected a mapping of name to deployment");
    for (const Entry& entry : entries_of(deployments->value, deployments->path, "deployments by name")) {
      config_.deployments.push_back(read_deployment(entry));
    }
    const Entry* active = find(keys, "active_deployment");
    if (active == nullptr) fail(root.line, "", "active_deployment is missing; expected the name of a deployment");
    config_.active = read_name(*active);
    if (const Entry* target = find(keys, "target_deployment")) {
      config_.target = read_name(*target);
      if (*config_.target == config_.active) {
        fail(target->value.line, target->path, "is the active deployment; expected another one, or leave it out");
      }
      check_live(*target);
    }
  }

  std::string read_name(const Entry& entry) const {
    const std::string name = read_id(entry.value, entry.path, "the name");
    if (config_.find_deployment(name) != nullptr) return name;
    std::string known;
    for (const Deployment& d : config_.deployments) known += (known.empty() ? "" : ", ") + d.name;
    fail(entry.value.line, entry.path,
         "no deployment is called " + cited(name) + "; expected one of " + printable(known));
  }

  // Nodes of the active and the target deployment run side by side.
  void check_live(const Entry& target) const {
    const Claims& active_claims = claims_.at(config_.active);
    for (const auto& [address, claim] : claims_.at(*config_.target)) {
      const auto other = active_claims.find(address);
      if (other == active_claims.end() || other->second.id == claim.id) continue;
      fail(claim.line, claim.path, "has the address " + address + " of " + other->second.path + " (line " +
                                       std::to_string(other->second.line) + "), and " + target.path +
                                       " runs both; expected an address of its own");
    }
  }

  Deployment read_deployment(const Entry& entry) {
    Deployment deployment;
    deployment.name = read_id(entry.key, entry.path, "the deployment's name");
    const Entries keys = entries_of(entry.value, entry.path, "buckets and settings");
    check_known(keys, entry.path, {"buckets", "read_repair", "background_repair", "background_repair_interval",
                                   "background_scrub_interval", "hash", "background_healing",
                                   "background_healing_interval"});
    if (const Entry* repair = find(keys, "read_repair")) deployment.read_repair = read_bool(*repair);
    if (const Entry* repair = either(keys, "background_repair", "background_healing")) {
      deployment.background_repair = read_bool(*repair);
    }
    if (const Entry* interval = either(keys, "background_repair_interval", "background_healing_interval")) {
      deployment.background_repair_interval = read_interval(*interval);
    }
    if (const Entry* interval = find(keys, "background_scrub_interval")) {
      deployment.background_scrub_interval = read_interval(*interval);
    }
    if (const Entry* hash = find(keys, "hash")) read_hash(*hash, deployment);

    const Entry* buckets = find(keys, "buckets");
    if (buckets == nullptr) fail(entry.key.line, entry.path, "buckets is missing; expected a mapping of id to bucket");
    read_buckets(*buckets, deployment);
    if (const Entry* hash = find(keys, "hash")) read_weights(*hash, deployment);
    const std::uint64_t effective = std::min<std::uint64_t>(deployment.buckets_per_key, deployment.buckets.size());
    if (effective > kReplicaBucketsMax) {
      fail(entry.key.line, entry.path, "keys live in " + std::to_string(effective) + " buckets; expected hash." +
                                           "buckets_per_key of at most " + std::to_string(kReplicaBucketsMax));
    }
    return deployment;
  }

  // The newer or the older name of a key.
  static const Entry* either(const Entries& keys, const std::string& name, const std::string& older) {
    const Entry* entry = find(keys, name);
    const Entry* older_entry = find(keys, older);
    if (entry == nullptr) return older_entry;
    if (older_entry != nullptr) {
      fail(older_entry->key.line, older_entry->path, "is the older name of " + name + ", given in line " +
                                                         std::to_string(entry->key.line) + "; expected only one");
    }
    return entry;
  }

  static void read_hash(const Entry& entry, Deployment& deployment) {
    const Entries keys = entries_of(entry.value, entry.path, "buckets_per_key, points_per_bucket or weights");
    check_known(keys, entry.path, {"buckets_per_key", "points_per_bucket", "weights"});
    if (const Entry* count = find(keys, "buckets_per_key")) {
      deployment.buckets_per_key =
          static_cast<unsigned>(read_number(count->value, count->path, "", {1, kBucketsPerKeyMax}));
    }
    if (const Entry* points = find(keys, "points_per_bucket")) {
      deployment.points_per_bucket = read_number(points->value, points->path, "", {1, kPointsPerBucketMax});
    }
  }

  // Of buckets, by id; those that are left out weigh points_per_bucket.
  static void read_weights(const Entry& hash, Deployment& deployment) {
    const Entries keys = entries_of(hash.value, hash.path, "");
    const Entry* weights = find(keys, "weights");
    if (weights == nullptr) return;
    std::unordered_map<std::string_view, BucketSpec*> by_id;
    for (BucketSpec& bucket : deployment.buckets) by_id.emplace(bucket.id, &bucket);
    for (const Entry& entry : entries_of(weights->value, weights->path, "weights by bucket id")) {
      const auto found = by_id.find(entry.key.text);
      if (found == by_id.end()) {
        fail(entry.key.line, entry.path, "there is no bucket " + cited(entry.key.text) +
                                             " in this deployment; expected the id of one");
      }
      found->second->weight = read_number(entry.value, entry.path, "", {1, kPointsPerBucketMax});
    }
  }

  void read_buckets(const Entry& buckets, Deployment& deployment) {
    Claims& claims = claims_[deployment.name];
    std::unordered_map<std::string, std::string> bucket_of;
    for (const Entry& bucket_entry : entries_of(buckets.value, buckets.path, "buckets by id")) {
      BucketSpec bucket;
      bucket.id = read_id(bucket_entry.key, bucket_entry.path, "the bucket's id");
      for (const Entry& entry : entries_of(bucket_entry.value, bucket_entry.path, "nodes by id")) {
        NodeSpec node = read_node(entry);
        const auto [known, fresh] = bucket_of.try_emplace(node.id, bucket.id);
        if (!fresh) {
          fail(entry.key.line, entry.path, "node " + cited(node.id) + " is in bucket " + cited(known->second) +
                                               " too; expected every node id once in a deployment");
        }
        claim(node, entry, claims);
        bucket.nodes.push_back(std::move(node));
      }
      deployment.buckets.push_back(std::move(bucket));
    }
    if (bucket_of.size() > kDeploymentNodesMax) {
      fail(buckets.key.line, buckets.path, "has " + std::to_string(bucket_of.size()) + " nodes; expected at most " +
                                               std::to_string(kDeploymentNodesMax));
    }
  }

  // An id means one machine wherever it is named, and an address one node of a deployment.
  void claim(const NodeSpec& node, const Entry& entry, Claims& claims) {
    const Claim mine{node.id, node.host, node.port, node.http_port, entry.path, entry.key.line};
    const auto [first, fresh] = nodes_.try_emplace(node.id, mine);
    const Claim& known = first->second;
    const bool other_http = known.http_port != 0 && node.http_port != 0 && known.http_port != node.http_port;
    if (!fresh && (known.host != node.host || known.port != node.port || other_http)) {
      fail(entry.key.line, entry.path, "node " + cited(node.id) + " has another address in " + known.path + " (line " +
                                           std::to_string(known.line) + "); expected one address for one id");
    }
    for (const std::uint16_t port : {node.port, node.http_port}) {
      if (port == 0) continue;
      const std::string address = node.host + ":" + std::to_string(port);
      const auto [holder, taken_now] = claims.try_emplace(address, mine);
      if (!taken_now) {
        fail(entry.key.line, entry.path, "address " + address + " is that of " + cited(holder->second.id) + " (line " +
                                             std::to_string(holder->second.line) + "); expected one of its own");
      }
    }
  }

  void read_coordinators(const Entries& keys) {
    const Entry* coordinators = find(keys, "coordinators");
    const Entry* master = find(keys, "master_coordinator");
    if (coordinators != nullptr) {
      Claims seen;
      for (const Entry& entry : entries_of(coordinators->value, coordinators->path, "coordinators by id")) {
        CoordinatorSpec spec{read_id(entry.key, entry.path, "the coordinator's id"), read_address(entry)};
        claim_coordinator(spec, entry, seen);
        config_.coordinators.push_back(std::move(spec));
      }
    }
    if (master == nullptr) return;
    if (coordinators == nullptr) {
      fail(master->key.line, master->path, "there are no coordinators; expected a mapping `coordinators` with this id");
    }
    config_.master = read_id(master->value, master->path, "the name");
    if (config_.find_coordinator(*config_.master) == nullptr) {
      fail(master->value.line, master->path, "no coordinator is called " + cited(*config_.master) +
                                                 "; expected an id from coordinators");
    }
  }

  void claim_coordinator(const CoordinatorSpec& spec, const Entry& entry, Claims& seen) const {
    const std::string address = spec.address.host + ":" + std::to_string(spec.address.port);
    const Claim mine{spec.id, spec.address.host, spec.address.port, 0, entry.path, entry.key.line};
    const auto [first, fresh] = seen.try_emplace(address, mine);
    const Claim* holder = fresh ? nullptr : &first->second;
    for (const std::string* name : {&config_.active, config_.target ? &*config_.target : &config_.active}) {
      const Claims& claims = claims_.at(*name);
      const auto node = claims.find(address);
      if (node != claims.end()) holder = &node->second;
    }
    if (holder == nullptr) return;
    fail(entry.key.line, entry.path, "address " + address + " is that of " + holder->path + " (line " +
                                         std::to_string(holder->line) + "); expected one of its own");
  }

  Configuration config_;
  std::unordered_map<std::string, Claim> nodes_;    // by id, over all deployments
  std::unordered_map<std::string, Claims> claims_;  // by deployment
};

}  // namespace

Result<Configuration> parse_config(std::string_view text, std::string_view name) {
  Result<Tree> tree = parse_tree(text, name);
  if (!tree) return tree.error();
  try {
    return Reader().read(*tree);
  } catch (const Fault& fault) {
    return Error(ErrorCode::kInvalid, std::string(name) + ":" + std::to_string(fault.line) + ": " + fault.message);
  }
}

}  // namespace tako::model
