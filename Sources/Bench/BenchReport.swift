import Foundation

/// What a bench found out; encodes as its JSON.
public struct BenchReport: Sendable, Encodable {
  /// When it began.
  public let startedAt: Date
  /// Wall clock of everything, loading included.
  public let elapsedSeconds: Double
  /// `--rows`.
  public let rowCount: Int
  /// The engine's version.
  public let engineVersion: String
  /// The server that it ran on.
  public let server: Server
  /// The machine of the client.
  public let machine: Machine
  /// One entry a workload.
  public let workloads: [WorkloadReport]

  /// Whether every contender left production as it must be.
  public var isRight: Bool { workloads.allSatisfy { $0.contenders.allSatisfy(\.isRight) } }

  /// The server, as far as it matters to its speed.
  public struct Server: Sendable, Codable {
    /// As the server says it.
    public let version: String
    /// Settings that decide about speed.
    public let settings: [String: String]
  }

  /// The machine of the client.
  public struct Machine: Sendable, Codable {
    /// Processor cores.
    public let cores: Int
    /// Main memory.
    public let memoryBytes: UInt64
    /// The operating system.
    public let system: String

    private enum CodingKeys: String, CodingKey {
      case cores
      case memoryBytes = "memory_bytes"
      case system
    }

    static var this: Machine {
      let process = ProcessInfo.processInfo
      return Machine(
        cores: process.processorCount,
        memoryBytes: process.physicalMemory,
        system: process.operatingSystemVersionString
      )
    }
  }

  /// All contenders on one workload.
  public struct WorkloadReport: Sendable, Encodable {
    /// Which.
    public let workload: Workload
    /// Rows in staging.
    public let stagedRowCount: Int
    /// Rows in production before.
    public let productionRowCount: Int
    /// In the order in which they stand in the table.
    public let contenders: [ContenderReport]

    private enum CodingKeys: String, CodingKey {
      case workload
      case stagedRowCount = "staging_rows"
      case productionRowCount = "production_rows"
      case contenders
    }

    /// The contender that the ratios are to.
    public func contender(_ name: String) -> ContenderReport? { contenders.first { $0.name == name } }

    /// How many times as fast as the guide's statements on the guide's staging.
    public func speedup(_ contender: ContenderReport) -> Double? {
      self.contender(Contender.guide(onOwnStaging: true).name).map { $0.medianSeconds / contender.medianSeconds }
    }

    /// The time as a multiple of the bare writes'.
    public func overFloor(_ contender: ContenderReport) -> Double? {
      self.contender(Contender.floor(connections: 1).name).map { contender.medianSeconds / $0.medianSeconds }
    }

    /// The workload's figures, with the ratios computed.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(workload, forKey: .workload)
      try container.encode(stagedRowCount, forKey: .stagedRowCount)
      try container.encode(productionRowCount, forKey: .productionRowCount)
      try container.encode(
        contenders.map { contender in
          RatedContender(
            name: contender.name,
            medianSeconds: contender.medianSeconds,
            rowsPerSecond: Int(Double(stagedRowCount) / contender.medianSeconds),
            timesGuide: speedup(contender),
            overFloor: overFloor(contender),
            isRight: contender.isRight,
            measurements: contender.measurements
          )
        },
        forKey: .contenders
      )
    }
  }

  /// One contender on one workload.
  public struct ContenderReport: Sendable {
    /// Its name.
    public let name: String
    /// One entry a repetition.
    public let measurements: [Measurement]

    /// Whether each repetition's answer was right.
    public var isRight: Bool { measurements.allSatisfy(\.isRight) }
    /// The median of the wall clocks.
    public var medianSeconds: Double { Self.median(measurements.map(\.elapsedSeconds)) }
    /// The shortest and the longest.
    public var spreadSeconds: ClosedRange<Double> {
      let all = measurements.map(\.elapsedSeconds)
      return (all.min() ?? 0)...(all.max() ?? 0)
    }
    /// The median of what the server wrote to its log.
    public var walBytes: Int { Int(Self.median(measurements.map { Double($0.walBytes) })) }
    /// The median of the dead tuples.
    public var deadTuples: Int { Int(Self.median(measurements.map { Double($0.deadTuples) })) }
    /// The median of the client's CPU time.
    public var clientCPUSeconds: Double? {
      let all = measurements.compactMap(\.clientCPUSeconds)
      return all.isEmpty ? nil : Self.median(all)
    }
    /// The highest peak.
    public var clientPeakBytes: Int? { measurements.compactMap(\.clientPeakBytes).max() }

    static func median(_ values: [Double]) -> Double {
      let sorted = values.sorted()
      let middle = sorted.count / 2
      return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
  }

  private struct RatedContender: Encodable {
    let name: String
    let medianSeconds: Double
    let rowsPerSecond: Int
    let timesGuide: Double?
    let overFloor: Double?
    let isRight: Bool
    let measurements: [Measurement]

    private enum CodingKeys: String, CodingKey {
      case name
      case medianSeconds = "median_seconds"
      case rowsPerSecond = "rows_per_second"
      case timesGuide = "times_guide"
      case overFloor = "over_floor"
      case isRight = "right"
      case measurements
    }
  }

  private enum CodingKeys: String, CodingKey {
    case startedAt = "started_at"
    case elapsedSeconds = "elapsed_seconds"
    case rowCount = "rows"
    case engineVersion = "engine_version"
    case server, machine, workloads
  }

  /// The report with its times in UTC, ISO 8601.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(startedAt.formatted(.iso8601), forKey: .startedAt)
    try container.encode(elapsedSeconds, forKey: .elapsedSeconds)
    try container.encode(rowCount, forKey: .rowCount)
    try container.encode(engineVersion, forKey: .engineVersion)
    try container.encode(server, forKey: .server)
    try container.encode(machine, forKey: .machine)
    try container.encode(workloads, forKey: .workloads)
  }
}
