/// What a bench is asked to do.
public struct BenchOptions: Sendable {
  /// Staging rows of the full-size workloads.
  public var rowCount = 1_000_000
  /// What to load.
  public var workloads = Workload.allCases
  /// How often every contender runs on every workload, if there is time.
  public var repetitions = 3
  /// After so many minutes no further repetition is begun; each workload has its equal share.
  public var timeLimitMinutes = 17
  /// Connections of the parallel contenders; nil for twice the cores of this machine, which with the server beside it
  /// are the server's.
  public var connections: Int?
  /// Staging rows to a batch of the engine's.
  public var batchRows = 50_000
  /// Only contenders whose name holds one of these; nil for all.
  public var contenderFilter: [String]?

  /// The defaults.
  public init() {}
}
