import Bench
import Foundation
import MergeEngine

/// A bench as one HTML file that needs nothing beside it: bars of time and the table behind them, a workload a section.
public struct BenchPage {
  private let report: BenchReport

  /// A page about `report`.
  public init(_ report: BenchReport) {
    self.report = report
  }

  /// The whole page.
  public func html() -> String {
    Self.template.render(
      Model(
        style: PageStyle.text + Self.ownStyle,
        facts: facts,
        sections: report.workloads.map { BenchSection($0).html }.joined(separator: "\n"),
        settings: report.server.settings.sorted { $0.key < $1.key }.map { Fact(label: $0.key, value: $0.value) }
      )
    )
  }

  private struct Model {
    let style: String
    let facts: [Fact]
    let sections: String
    let settings: [Fact]
  }

  private struct Fact {
    let label: String
    let value: String
  }

  private var facts: [Fact] {
    let machine = report.machine
    let label = report.parameters.label.map { "; \($0)" } ?? ""
    let size = "\(machine.cores) cores, \(Numbers.bytes(Int(machine.memoryBytes)))"
    return [
      Fact(label: "When", value: Times.utc(report.startedAt)),
      Fact(label: "Took", value: Numbers.duration(milliseconds: Int(report.elapsedSeconds * 1000))),
      Fact(label: "Engine", value: "merge-engine \(report.engineVersion)\(label)"),
      Fact(label: "Server", value: "PostgreSQL \(report.server.version)"),
      Fact(label: "Machine", value: machine.processor.map { "\($0), \(size)" } ?? size),
      Fact(label: "System", value: machine.system),
      Fact(label: "Command", value: report.parameters.command),
    ]
  }

  private static let ownStyle = """
    .spread { stroke: var(--text); stroke-width: 1.5; vector-effect: non-scaling-stroke; }

    """

  private static let template = Template(
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
    <title>Merge throughput - merge-engine</title>
    <style>
    {{{style}}}
    </style>
    </head>
    <body>
    <main>
    <header>
    <p class="overline">merge-engine &middot; bench</p>
    <h1>Merge throughput</h1>
    <p class="lead">Every contender merges the same staging rows into the same copy of production, and what it leaves there is compared with the answer. Bars are medians, the thin lines go from the shortest run to the longest. All run with jit = off.</p>
    <dl class="facts">
    {{#facts}}
    <div><dt>{{label}}</dt><dd>{{value}}</dd></div>
    {{/facts}}
    </dl>
    </header>
    {{{sections}}}
    <section aria-labelledby="settings">
    <h2 id="settings">Settings of the server</h2>
    <dl class="facts">
    {{#settings}}
    <div><dt>{{label}}</dt><dd>{{value}}</dd></div>
    {{/settings}}
    </dl>
    </section>
    </main>
    </body>
    </html>

    """
  )
}
