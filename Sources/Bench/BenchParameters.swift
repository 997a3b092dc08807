/// What a bench was asked to do, for its report; encodes as JSON.
package struct BenchParameters: Sendable, Encodable {
  /// `--label`.
  package let label: String?
  /// `--rows`.
  package let rowCount: Int
  /// `--production-rows`.
  package let productionRowCount: Int?
  /// The workloads, in their order.
  package let workloads: [Workload]
  /// `--contender`, as often as it was given.
  package let contenderFilter: [String]
  /// The repetitions that were wanted; how many there was time for stands with each contender.
  package let repetitions: Int
  /// `--time-limit`.
  package let timeLimitMinutes: Int
  /// Connections of the parallel contenders.
  package let connections: Int
  /// Staging rows to a batch of the engine's.
  package let batchRows: Int
  /// What the order of the contenders followed from.
  package let seed: UInt32

  init(_ options: BenchOptions) {
    label = options.label
    rowCount = options.rowCount
    productionRowCount = options.productionRowCount
    workloads = options.workloads
    contenderFilter = options.contenderFilter ?? []
    repetitions = options.repetitions
    timeLimitMinutes = options.timeLimitMinutes
    connections = options.connections
    batchRows = options.batchRows
    seed = options.seed
  }

  /// The command that does the same again, apart from the database.
  package var command: String {
    var words = ["merge-engine", "bench", "--rows", "\(rowCount)"]
    if let productionRowCount { words += ["--production-rows", "\(productionRowCount)"] }
    if workloads != Workload.usual { words += workloads.flatMap { ["--workload", $0.rawValue] } }
    words += contenderFilter.flatMap { ["--contender", "'\($0.replacing("'", with: #"'\''"#))'"] }
    words += ["--repeat", "\(repetitions)", "--time-limit", "\(timeLimitMinutes)"]
    words += ["--connections", "\(connections)", "--batch", "\(batchRows)", "--seed", "\(seed)"]
    return words.joined(separator: " ")
  }

  private enum CodingKeys: String, CodingKey {
    case command, label
    case rowCount = "rows"
    case productionRowCount = "production_rows"
    case workloads
    case contenderFilter = "contenders"
    case repetitions
    case timeLimitMinutes = "time_limit_minutes"
    case connections
    case batchRows = "batch"
    case seed
  }

  /// The parameters, with the command that they make.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(command, forKey: .command)
    try container.encodeIfPresent(label, forKey: .label)
    try container.encode(rowCount, forKey: .rowCount)
    try container.encodeIfPresent(productionRowCount, forKey: .productionRowCount)
    try container.encode(workloads, forKey: .workloads)
    try container.encode(contenderFilter, forKey: .contenderFilter)
    try container.encode(repetitions, forKey: .repetitions)
    try container.encode(timeLimitMinutes, forKey: .timeLimitMinutes)
    try container.encode(connections, forKey: .connections)
    try container.encode(batchRows, forKey: .batchRows)
    try container.encode(seed, forKey: .seed)
  }
}
