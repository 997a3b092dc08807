import Logging
import Testing

@testable import MergeEngine

/// The gate before each batch, without a server.
@Suite struct PressureTests {
  /// A second's worth of rows is an hour's worth here: nothing is paid for while a test runs.
  private func gate(rate: Int?) -> Pressure {
    var options = MergeOptions()
    options.batchRows = 3600
    options.maxRowsPerSecond = rate
    return Pressure(options, stop: StopSignal(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Whether the gate is open now.
  private func enters(_ gate: Pressure, worker: Int) -> Bool {
    var isAsked = false
    return gate.enter(worker: worker) {
      defer { isAsked = true }
      return isAsked
    }
  }

  @Test func `of workers that ask at once one begins, for its batch counts as full until its rows are known`() {
    let gate = gate(rate: 1)
    gate.limitWorkers(to: 3)
    #expect(enters(gate, worker: 1))
    #expect(!enters(gate, worker: 2))
    #expect(!enters(gate, worker: 3))
    #expect(gate.activeCount == 1)
  }

  @Test func `a batch that had fewer rows than it might have had lets the next one begin the earlier`() {
    let gate = gate(rate: 1)
    gate.limitWorkers(to: 3)
    #expect(enters(gate, worker: 1))
    gate.spend(rowCount: 0, worker: 1)
    #expect(enters(gate, worker: 2))
    gate.leave(worker: 1)
    #expect(!enters(gate, worker: 3))
    // One that is given up has had none.
    gate.leave(worker: 2)
    #expect(enters(gate, worker: 3))
  }

  @Test func `a batch of more rows than it should have had is paid for, too`() {
    let gate = gate(rate: 1)
    #expect(enters(gate, worker: 1))
    gate.spend(rowCount: 7200, worker: 1)
    gate.leave(worker: 1)
    #expect(!enters(gate, worker: 1))
    // At another rate nothing is owed.
    gate.limitRate(to: nil)
    #expect(enters(gate, worker: 1))
  }

  @Test func `without a rate all workers begin`() {
    let gate = gate(rate: nil)
    gate.limitWorkers(to: 2)
    #expect(enters(gate, worker: 1))
    #expect(enters(gate, worker: 2))
  }
}
