import Bench
import Foundation
import MergeEngine

/// A bench as one HTML file that needs nothing beside it: bars of time and the table behind them, a workload a section.
package struct BenchPage {
  private let report: BenchReport

  /// A page about `report`.
  package init(_ report: BenchReport) {
    self.report = report
  }

  /// The whole page.
  package func html() -> String {
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
      Fact(label: "Server", value: "PostgreSQL \(report.server.version)"),
      Fact(label: "Engine", value: "merge-engine \(report.engineVersion)\(label)"),
      Fact(label: "When", value: "\(Times.utc(report.startedAt)) UTC"),
      Fact(label: "Took", value: Numbers.duration(milliseconds: Int(report.elapsedSeconds * 1000))),
      Fact(label: "Machine", value: machine.processor.map { "\($0), \(size)" } ?? size),
      Fact(label: "System", value: machine.system),
      Fact(label: "Command", value: report.parameters.command),
    ]
  }

  private static let ownStyle = """
    main, footer { max-width: 80rem; }
    .spread, .spread-edge { vector-effect: non-scaling-stroke; }
    .spread { stroke: var(--text); stroke-width: 1.5; }
    .spread-edge { stroke: var(--ground); stroke-width: 5; }
    header .legend { margin-top: 1rem; }
    .swatch.line { height: 0.6875rem; width: 1.375rem; }

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
    <p class="lead">Every contender merges the same staging rows into the same copy of production, and what it leaves there is compared with the answer. All run with jit = off.</p>
    <dl class="facts">
    {{#facts}}
    <div><dt>{{label}}</dt><dd>{{value}}</dd></div>
    {{/facts}}
    </dl>
    <ul class="legend" aria-label="What the bars are">
    <li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="updated" width="10" height="10"/></svg>merge-engine</li>
    <li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="unchanged" width="10" height="10"/></svg>other ways to do the same</li>
    <li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="duplicate" width="10" height="10"/></svg>the floor: only the writes, known in advance</li>
    <li><svg class="swatch line" viewBox="0 0 20 10" aria-hidden="true"><rect class="unchanged" width="20" height="10"/><line class="spread-edge" x1="2" x2="18" y1="5" y2="5"/><line class="spread" x1="2" x2="18" y1="5" y2="5"/></svg>from the shortest run to the longest; the bar is the median</li>
    </ul>
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
