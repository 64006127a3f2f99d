// Reshape: changes of a cluster's shape, as pure edits of its configuration: what the verbs node, bucket and deploy
// push.
//
// Each returns the configuration that is one step on (model/step.h), held to all rules of a file, or an error for the
// operator. A deployment that was made by such an edit is called after the one it was made from: d, d-2, d-3.
#pragma once

#include <string>

#include "base/result.h"
#include "model/config.h"

namespace tako::ctl {

// The shape that is to be: of `in_force`'s active deployment, changed. Errors: kInvalid.
Result<model::Deployment> add_node(const model::Configuration& in_force, const std::string& bucket,
                                   model::NodeSpec node);
Result<model::Deployment> remove_node(const model::Configuration& in_force, const std::string& node);
// In the same bucket, so that only its keys move. Without a zone of its own it has that of the other.
Result<model::Deployment> replace_node(const model::Configuration& in_force, const std::string& node,
                                       model::NodeSpec with);
Result<model::Deployment> add_bucket(const model::Configuration& in_force, model::BucketSpec bucket);
Result<model::Deployment> remove_bucket(const model::Configuration& in_force, const std::string& bucket);

// The one that `text` names: a deployment of `in_force`, or else of the file by that name: its target, or its active
// one.
Result<model::Deployment> deployment_meant(const model::Configuration& in_force, const std::string& text);

// {A} -> {A,B}. Under another name where this one is taken by the active deployment. kConflict: there is a target.
Result<model::Configuration> begun(const model::Configuration& in_force, model::Deployment target);
// {A,B} -> {B}, and {A,B} -> {A}. kConflict: there is no target.
Result<model::Configuration> promoted(const model::Configuration& in_force);
Result<model::Configuration> aborted(const model::Configuration& in_force);

// "n5=host:4711", "n5=[::1]:4711" -> a node without zone and HTTP. Errors: kInvalid.
Result<model::NodeSpec> parse_node(const std::string& text);

}  // namespace tako::ctl
