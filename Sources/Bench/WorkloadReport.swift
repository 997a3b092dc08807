extension BenchReport {
  /// All contenders on one workload.
  package struct WorkloadReport: Sendable, Encodable {
    /// Which.
    package let workload: Workload
    /// Rows in staging.
    package let stagedRowCount: Int
    /// Rows in production before.
    package let productionRowCount: Int
    /// In the order in which they stand in the table.
    package let contenders: [ContenderReport]

    private enum CodingKeys: String, CodingKey {
      case workload
      case stagedRowCount = "staging_rows"
      case productionRowCount = "production_rows"
      case contenders
    }

    /// What it is, in a few words.
    package var summary: String {
      workload.summary(keyStep: max(productionRowCount, 1) / max(stagedRowCount, 1))
    }

    /// The contender of this name.
    package func contender(_ name: String) -> ContenderReport? { contenders.first { $0.name == name } }

    /// How many times as fast as the guide's statements on the guide's staging; nil unless both answers were right.
    package func speedup(_ contender: ContenderReport) -> Double? {
      let guide = contenders.first { $0.contender == .guide(onOwnStaging: true) }
      guard contender.isRight, let guide, guide.isRight else { return nil }
      return guide.medianSeconds / contender.medianSeconds
    }

    /// The time as a multiple of the bare writes', by as many connections as were the fastest; nil unless both answers were
    /// right.
    package func overFloor(_ contender: ContenderReport) -> Double? {
      let floors = contenders.filter { $0.contender.isFloor && $0.isRight }
      guard contender.isRight, let fastest = floors.map(\.medianSeconds).min() else { return nil }
      return contender.medianSeconds / fastest
    }

    /// The server's CPU time as a multiple of what the bare writes took, by as many connections as took the least; nil unless both
    /// are known and both answers were right.
    package func cpuOverFloor(_ contender: ContenderReport) -> Double? {
      let floors = contenders.filter { $0.contender.isFloor && $0.isRight }
      guard contender.isRight, let seconds = contender.serverCPUSeconds,
        let least = floors.compactMap(\.serverCPUSeconds).min(), least > 0
      else { return nil }
      return seconds / least
    }

    /// The workload's figures, with the ratios computed.
    package func encode(to encoder: any Encoder) throws {
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
            cpuOverFloor: cpuOverFloor(contender),
            isRight: contender.isRight,
            measurements: contender.measurements
          )
        },
        forKey: .contenders
      )
    }
  }

  /// One contender on one workload.
  package struct ContenderReport: Sendable {
    /// Which.
    package let contender: Contender
    /// One entry a repetition.
    package let measurements: [Measurement]

    /// Its name.
    package var name: String { contender.name }
    /// Whether each repetition's answer was right.
    package var isRight: Bool { measurements.allSatisfy(\.isRight) }
    /// The median of the wall clocks.
    package var medianSeconds: Double { Self.median(measurements.map(\.elapsedSeconds)) }
    /// The shortest and the longest.
    package var spreadSeconds: ClosedRange<Double> {
      let all = measurements.map(\.elapsedSeconds)
      return (all.min() ?? 0)...(all.max() ?? 0)
    }
    /// The median of what the server wrote to its log.
    package var walBytes: Int { Int(Self.median(measurements.map { Double($0.walBytes) })) }
    /// The median of the dead tuples.
    package var deadTuples: Int { Int(Self.median(measurements.map { Double($0.deadTuples) })) }
    /// The median of the server's CPU time.
    package var serverCPUSeconds: Double? { Self.medianIfAny(measurements.compactMap(\.serverCPUSeconds)) }
    /// The median of the client's CPU time.
    package var clientCPUSeconds: Double? { Self.medianIfAny(measurements.compactMap(\.clientCPUSeconds)) }
    /// The slowest write of CDC of all repetitions.
    package var longestWriteSeconds: Double? { measurements.compactMap(\.longestWriteSeconds).max() }
    /// The highest peak.
    package var clientPeakBytes: Int? { measurements.compactMap(\.clientPeakBytes).max() }

    private static func medianIfAny(_ values: [Double]) -> Double? { values.isEmpty ? nil : median(values) }

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
    let cpuOverFloor: Double?
    let isRight: Bool
    let measurements: [Measurement]

    private enum CodingKeys: String, CodingKey {
      case name
      case medianSeconds = "median_seconds"
      case rowsPerSecond = "rows_per_second"
      case timesGuide = "times_guide"
      case overFloor = "over_floor"
      case cpuOverFloor = "server_cpu_over_floor"
      case isRight = "right"
      case measurements
    }
  }
}
