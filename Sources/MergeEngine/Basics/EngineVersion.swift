/// The version that `--version` prints and that runs are recorded with.
public enum EngineVersion {
  /// Semantic version, as in CHANGELOG.
  public static let current = "0.1.0"
}
