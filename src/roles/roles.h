// The programs in the one binary. Each takes what follows its name on the command line, and returns the exit code:
// 0 done or stopped, 1 failed, 2 wrong usage.
#pragma once

namespace tako::roles {

int run_node(int argc, char** argv);
int run_proxy(int argc, char** argv);
int run_coordinator(int argc, char** argv);
int run_cluster(int argc, char** argv);
int run_ctl(int argc, char** argv);
int run_help(int argc, char** argv);
int run_completion(int argc, char** argv);

}  // namespace tako::roles
