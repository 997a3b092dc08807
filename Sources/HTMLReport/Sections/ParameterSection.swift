import MergeEngine

/// The options that the run was given, or had by default.
struct ParameterSection {
  private let model: Model

  init(_ run: StoredRun) {
    model = Model(
      hasParameters: !run.parameters.isEmpty,
      lines: run.parameters.map { Line(name: Self.option($0.name), value: $0.value) }.sorted { $0.name < $1.name }
    )
  }

  /// What people give, by the name that the record has for it. Others keep that name: they come from other versions, or stand
  /// in the configuration file alone.
  private static let options = [
    "again": "--again", "atomic": "--atomic", "batch_rows": "--batch", "before_images": "--before-images",
    "cleanup": "--cleanup", "columns.folds_case": "--fold-case", "columns.insert_only": "insert_only_columns",
    "columns.version": "version_column", "from": "--from", "lock_timeout_milliseconds": "--lock-timeout (ms)",
    "mark": "--mark", "max_errors": "--max-errors", "max_lock_milliseconds": "--max-lock-time (ms)",
    "max_replica_lag_seconds": "--max-replica-lag (s)", "max_rows_per_second": "--max-rows-per-second",
    "nulls": "--nulls", "pause_while": "--pause-while", "reconnect_limit_seconds": "--reconnect-timeout (s)",
    "replica": "--replica", "schemas.admin": "--admin-schema", "schemas.production": "--production-schema",
    "schemas.staging": "--staging-schema", "statement_timeout_milliseconds": "--statement-timeout (ms)",
    "tables": "--table", "ties": "--ties", "time_zone": "--time-zone", "to": "--to", "window": "--window",
    "workers": "--workers",
  ]

  private static func option(_ name: String) -> String { options[name] ?? name }

  var html: String { Self.template.render(model) }

  private struct Model {
    let hasParameters: Bool
    let lines: [Line]
  }

  private struct Line {
    let name: String
    let value: String?
  }

  private static let template = Template(
    """
    <section aria-labelledby="parameters">
    <h2 id="parameters">Parameters</h2>
    {{^hasParameters}}
    <p>None are recorded.</p>
    {{/hasParameters}}
    {{#hasParameters}}
    <div class="scroll" tabindex="0" role="region" aria-label="Parameters">
    <table class="fit">
    <caption>Options of the run; merge_summary.parameters has the record</caption>
    <thead><tr><th scope="col">option</th><th scope="col">value</th></tr></thead>
    <tbody>
    {{#lines}}
    <tr><th scope="row"><code>{{name}}</code></th><td class="text">{{#value}}<bdi>{{.}}</bdi>{{/value}}{{^value}}<span class="unset">not set</span>{{/value}}</td></tr>
    {{/lines}}
    </tbody>
    </table>
    </div>
    {{/hasParameters}}
    </section>
    """
  )
}
