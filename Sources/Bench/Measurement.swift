/// What one contender cost once, and whether its answer was right.
package struct Measurement: Sendable, Codable {
  /// Wall clock from the first connection to the last commit.
  package var elapsedSeconds: Double
  /// What the server wrote to its log.
  package var walBytes: Int
  /// Row versions that are left for vacuum, in staging and production.
  package var deadTuples: Int
  /// CPU time of the server's processes; nil of a server that is not on this machine.
  package var serverCPUSeconds: Double?
  /// CPU time of the client; only for the engine, whose client does the work.
  package var clientCPUSeconds: Double?
  /// The most memory the client held.
  package var clientPeakBytes: Int?
  /// How long the slowest write of CDC took beside it; nil where nobody wrote.
  package var longestWriteSeconds: Double?
  /// Whether production holds just the rows that it must.
  package var isRight: Bool

  private enum CodingKeys: String, CodingKey {
    case elapsedSeconds = "elapsed_seconds"
    case walBytes = "wal_bytes"
    case deadTuples = "dead_tuples"
    case serverCPUSeconds = "server_cpu_seconds"
    case clientCPUSeconds = "client_cpu_seconds"
    case clientPeakBytes = "client_peak_bytes"
    case longestWriteSeconds = "longest_cdc_write_seconds"
    case isRight = "right"
  }
}
