import MergeEngine

/// Rows a second over time: all together, each worker, each table, and the numbers behind it.
///
/// A strip for each worker rather than lines over one another: sixty-four of them can be read like two, and no colour has
/// to be told from another.
struct RateSection {
  private let run: StoredRun

  init(_ run: StoredRun) {
    self.run = run
  }

  var html: String {
    guard let throughput = run.throughput else {
      return Self.missing.render(
        Missing(
          reason: run.totals.batches == 0
            ? "No batch was committed." : "This run predates the version of merge-engine that records each batch."
        )
      )
    }
    return Self.template.render(Model(throughput))
  }

  private struct Missing {
    let reason: String
  }

  private struct Model {
    let area: String
    let peak: String
    let top: String
    let middle: String
    let seconds: [String]
    let duration: String
    let interval: String
    let groups: [Group]
    let names: [String]
    let rows: [Row]

    init(_ throughput: RunThroughput) {
      let total = throughput.total.rowsPerSecond
      let peakRate = total.max() ?? 0
      let axis = Plot.roundTop(peakRate)
      let interval = throughput.intervalSeconds
      let length = interval * Double(total.count)
      area = Plot(top: axis, height: 160).area(total)
      peak = Numbers.grouped(Int(peakRate))
      top = Numbers.grouped(Int(axis))
      middle = Numbers.grouped(Int(axis / 2))
      seconds = (0...4).map { Times.seconds(Double($0) / 4 * length, interval: length / 40) + " s" }
      duration = Times.seconds(length, interval: interval)
      self.interval = Times.seconds(interval, interval: interval)
      groups = [
        Group("Per worker", throughput.workers),
        throughput.tables.count > 1 ? Group("Per table", throughput.tables) : nil,
      ].compactMap(\.self)
      names = throughput.workers.map(\.name)
      rows = total.indices.map { index in
        Row(
          from: Times.seconds(Double(index) * interval, interval: interval),
          total: Numbers.grouped(Int(total[index].rounded())),
          workers: throughput.workers.map { Numbers.grouped(Int($0.rowsPerSecond[index].rounded())) }
        )
      }
    }
  }

  private struct Group {
    let heading: String
    let top: String
    let strips: [Strip]

    /// One scale for all strips of a group, so that heights can be compared.
    init(_ heading: String, _ series: [RunThroughput.Series]) {
      self.heading = heading
      let highest = series.flatMap(\.rowsPerSecond).max() ?? 0
      top = Numbers.grouped(Int(highest))
      strips = series.map { series in
        Strip(
          name: series.name,
          area: Plot(top: highest, height: 28).area(series.rowsPerSecond),
          count: Numbers.grouped(series.rowCount),
          peak: Numbers.grouped(Int(series.rowsPerSecond.max() ?? 0))
        )
      }
    }
  }

  private struct Strip {
    let name: String
    let area: String
    let count: String
    let peak: String
  }

  private struct Row {
    let from: String
    let total: String
    let workers: [String]
  }

  private static let missing = Template(
    """
    <section aria-labelledby="rates">
    <h2 id="rates">Rows per second</h2>
    <p>{{reason}} There is no chart of rows per second.</p>
    </section>
    """
  )

  private static let template = Template(
    """
    <section aria-labelledby="rates">
    <h2 id="rates">Rows per second</h2>
    <figure>
    <figcaption>Staging rows merged per second, all workers together</figcaption>
    <div class="plot">
    <div class="y-axis" aria-hidden="true"><span>{{top}}</span><span>{{middle}}</span><span>0</span></div>
    <svg viewBox="0 0 1000 160" preserveAspectRatio="none" role="img" aria-labelledby="rate-title rate-text">
    <title id="rate-title">Rows per second over time</title>
    <desc id="rate-text">{{duration}} seconds from the first batch to the last; the highest rate is {{peak}} rows per second. The table below holds the numbers.</desc>
    <path class="grid" d="M0 0.5H1000M0 80H1000"/>
    <path class="area" d="{{area}}"/>
    <path class="axis" d="M0 159.5H1000"/>
    </svg>
    <div class="x-axis" aria-hidden="true">{{#seconds}}<span>{{.}}</span>{{/seconds}}</div>
    </div>
    {{#groups}}
    <h3>{{heading}}</h3>
    <div class="strips">
    {{#strips}}
    <div class="row">
    <div class="bar-label"><bdi>{{name}}</bdi></div>
    <svg viewBox="0 0 1000 28" preserveAspectRatio="none" role="img" aria-label="{{name}}: {{count}} rows, {{peak}} rows per second at most"><path class="axis" d="M0 27.5H1000"/><path class="area" d="{{area}}"/></svg>
    <div class="bar-count">{{count}}</div>
    </div>
    {{/strips}}
    </div>
    <p class="note">Each strip reaches up to {{top}} rows/s; the number is the rows it merged.</p>
    {{/groups}}
    </figure>
    <details>
    <summary>The numbers behind the chart</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Rows per second over time">
    <table class="fit">
    <caption>Rows per second in intervals of {{interval}} seconds, from the run's first batch on. The rows of a batch are spread evenly over its time.</caption>
    <thead><tr><th scope="col" class="n">second</th><th scope="col" class="n">all workers</th>{{#names}}<th scope="col" class="n">{{.}}</th>{{/names}}</tr></thead>
    <tbody>
    {{#rows}}
    <tr><th scope="row" class="n">{{from}}</th><td class="n">{{total}}</td>{{#workers}}<td class="n">{{.}}</td>{{/workers}}</tr>
    {{/rows}}
    </tbody>
    </table>
    </div>
    </details>
    </section>
    """
  )
}
