import Foundation

/// What a bench is asked to do.
package struct BenchOptions: Sendable {
  /// Staging rows of the full-size workloads.
  package var rowCount = 1_000_000
  /// Rows of production; nil for four times as many as staging has (of the sparse workload: as `rowCount`).
  package var productionRowCount: Int?
  /// What to load.
  package var workloads = Workload.usual
  /// How often every contender runs on every workload, if there is time.
  package var repetitions = 3
  /// Repetitions that would take the whole bench beyond this are not begun.
  package var timeLimitMinutes = 17
  /// Connections of the parallel contenders.
  package var connections = 2 * ProcessInfo.processInfo.processorCount
  /// Staging rows to a batch of the engine's.
  package var batchRows = 50_000
  /// Only contenders whose name holds one of these; nil for all.
  package var contenderFilter: [String]?
  /// What the order of the contenders follows from.
  package var seed = UInt32.random(in: 0...UInt32.max)
  /// A text for the report, as the commit that is measured.
  package var label: String?

  /// The defaults: twice as many connections as this machine has cores, which with the server beside it are the server's.
  package init() {}

  /// Staging rows of the workload that has the most.
  package var largestStagedRowCount: Int { workloads.map { WorkloadSize($0, self).stagedRowCount }.max() ?? 0 }

  /// The buffers of a server on which production does not fit into memory: less than a tenth of the smallest one.
  package var coldBufferByteCount: Int {
    let rowCounts = workloads.filter(\.isCold).map { WorkloadSize($0, self).productionRowCount }
    return max((rowCounts.min() ?? 0) * Self.coldRowByteCount / 11, Self.leastBufferByteCount)
  }

  /// A row of a cold workload takes at least so many bytes of the table alone.
  private static let coldRowByteCount = 200
  /// With fewer a server hardly works.
  private static let leastBufferByteCount = 2 << 20

  /// Those of the contenders that are wanted.
  ///
  /// - Throws: ``BenchError/noContender(_:_:)`` when a text of the filter is in no name.
  package func contenders(serverVersionNumber: Int) throws(BenchError) -> [Contender] {
    let all = Contender.all(connections: connections, serverVersionNumber: serverVersionNumber)
    guard let contenderFilter else { return all }
    for text in contenderFilter where !all.contains(where: { Self.holds($0, text) }) {
      throw .noContender(text, all.map(\.name))
    }
    return all.filter { contender in contenderFilter.contains { Self.holds(contender, $0) } }
  }

  /// Those that run on a workload, which is merged or verified: without a filter, all that are usual there.
  func contenders(on workload: Workload, serverVersionNumber: Int) throws(BenchError) -> [Contender] {
    let wanted = try contenders(serverVersionNumber: serverVersionNumber).filter { $0.canRun(on: workload) }
    return contenderFilter == nil ? wanted.filter { $0.isUsual(on: workload) } : wanted
  }

  private static func holds(_ contender: Contender, _ text: String) -> Bool {
    contender.name.localizedCaseInsensitiveContains(text)
  }
}
