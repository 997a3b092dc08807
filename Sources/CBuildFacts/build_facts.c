#include "build_facts.h"

#define TEXT_OF(value) #value
#define TEXT(macro) TEXT_OF(macro)

// In C, because a manifest can give a C target a value, and a Swift target only a name.
const char *merge_engine_commit(void) { return TEXT(MERGE_ENGINE_COMMIT); }
