/// The commit that the program was built from; empty where the builder did not say.
const char *_Nonnull merge_engine_commit(void);
