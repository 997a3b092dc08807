import Libpq
import MergeEngine

/// What holds for every reload, new or gone on with.
package struct ReloadSetting: Sendable {
  /// The database that holds production and the admin schema.
  package var target: ConnectionTarget
  /// The one that holds staging, if it is another.
  package var stagingTarget: ConnectionTarget?
  /// How the merge is to be made; window, clean-up and annotations are the reload's own business.
  package var options: MergeOptions
  /// Truncate staging when everything is merged.
  package var cleansUp = false
  /// Leave the task in AWS when everything went well.
  package var keepsTask = false
  /// Between two questions to AWS. AWS's own waiters take 15 s.
  package var pollInterval = Duration.seconds(15)
  /// How long a task may take from being told to start until it runs.
  package var startLimit = Duration.seconds(1800)
  /// How long AWS may take to let go of a serverless replication that is to be deleted.
  package var deletionLimit = Duration.seconds(600)
  /// How long it may then load; nil for as long as it takes.
  package var loadLimit: Duration?

  /// Makes a setting with the defaults.
  package init(target: ConnectionTarget, options: MergeOptions) {
    self.target = target
    self.options = options
  }
}
