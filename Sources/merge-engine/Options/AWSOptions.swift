import ArgumentParser
import DMS

/// How AWS is reached: through the `aws` command, whose credentials, profiles and environment count.
struct AWSOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Passed on to aws: the region of the replication instance.", valueName: "name"))
  var region: String?

  @Option(help: ArgumentHelp("Passed on to aws: the profile with the credentials.", valueName: "name"))
  var profile: String?

  @Option(help: ArgumentHelp("Passed on to aws: another address of the DMS service.", valueName: "url"))
  var endpointURL: String?

  /// The service, flags before the configuration file.
  func service(_ section: DMSConfiguration) -> DMSService {
    DMSService(
      command: AWSCommand(
        endpointURL: endpointURL ?? section.endpointURL,
        region: region ?? section.region,
        profile: profile ?? section.profile
      )
    )
  }
}
