/// What the keeper process runs: a POSIX shell script, so that there is no program of our own to find and install.
///
/// Arguments: the folder with PostgreSQL's programs, where to make the cluster's folder, locale, encoding. It reads one
/// request a line, and answers each with any number of lines that begin with `| `, then `done` or `failed`. When its
/// input ends, it stops the server and removes the folder. That is its purpose, and the reason why it does all steps
/// itself, one after the other: whenever its owner dies, no initdb is still at work in the folder that it removes.
///
/// No child gets its input or output: a server that held them would keep the owner's pipes open.
enum KeeperScript {
  static let text = #"""
    # Only the end of the input ends the keeper, not a Ctrl-C meant for its owner. (postgres sets its own handlers.)
    trap '' HUP INT QUIT TERM PIPE
    umask 077
    binaries=$1 parent=$2 locale=$3 encoding=$4
    directory=
    server=

    say() { while IFS= read -r said || [ -n "$said" ]; do printf '| %s\n' "$said"; done; }

    answer() { if [ "$1" -eq 0 ]; then echo done; else echo failed; fi; }

    # Runs a program; when it fails, says what it said.
    quietly() {
      "$@" </dev/null >"$directory/step.log" 2>&1 && return
      say <"$directory/step.log"
      return 1
    }

    create() {
      made=$(mktemp -d "$parent/merge-engine.XXXXXX" 2>/dev/null) || {
        echo "| can't make a folder in $parent as user $(id -un)"
        return 1
      }
      directory=$made
      echo "| $directory"
    }

    initialize() {
      set -- --pgdata "$directory/data" --username postgres --locale "$locale" --encoding "$encoding" --no-sync \
        --auth-local trust --auth-host scram-sha-256
      if [ -f "$directory/password" ]; then set -- "$@" --pwfile "$directory/password"; fi
      quietly "$binaries/initdb" "$@"
      status=$?
      rm -f "$directory/password"
      return $status
    }

    copy() { quietly cp -R "$1" "$directory/data"; }

    # Lines up to a lone dot go to the end of a file in the folder; each comes with a colon before it.
    append() {
      while IFS= read -r line && [ "$line" != . ]; do printf '%s\n' "${line#:}"; done >>"$directory/$1"
    }

    # The server is the keeper's own child (pg_ctl would hand it to init): its process number can't have gone to another
    # process, and when it has ended no zombie of it stays.
    start() {
      "$binaries/postgres" -D "$directory/data" </dev/null >>"$directory/server.log" 2>&1 &
      server=$!
      turns=1200
      until ready; do
        turns=$((turns - 1))
        if [ $turns -eq 0 ] || ! kill -0 "$server" 2>/dev/null; then
          halt QUIT 20 || halt KILL 5
          tail -n 20 "$directory/server.log" | say
          return 1
        fi
        sleep 0.05
      done
    }

    # postmaster.pid says in its eighth line whether the server accepts connections; pg_ctl looks there too. Its first
    # line is the process number: one left by a crash does not count.
    ready() {
      [ -f "$directory/data/postmaster.pid" ] || return 1
      {
        read -r process
        for line in 2 3 4 5 6 7 8; do read -r state; done
      } <"$directory/data/postmaster.pid"
      [ "$process $state" = "$server ready" ]
    }

    # Sends a signal and waits until the server has ended, so many seconds long.
    halt() {
      [ -n "$server" ] || return 0
      kill -s "$1" "$server" 2>/dev/null
      turns=$(($2 * 20))
      while kill -0 "$server" 2>/dev/null; do
        [ $turns -gt 0 ] || return 1
        turns=$((turns - 1))
        sleep 0.05
      done
      server=
    }

    restart() {
      halt "$1" 60 || {
        echo "| the server did not obey SIG$1 in 60 seconds"
        return 1
      }
      start
    }

    # Whoever stops a server that was kept runs this script again, with its folder.
    adopt() {
      [ -f "$1/data/PG_VERSION" ] || return
      directory=$1
      read -r server <"$1/data/postmaster.pid" 2>/dev/null || return 0
      # A number out of a file may be anybody's by now; the server's own command line names the folder.
      case $(ps -o args= -p "$server" 2>/dev/null) in
      *"-D $1/data"*) ;;
      *) server= ;;
      esac
    }

    # The server lives on without us: its parent is then init.
    keep() { directory=; }

    finish() {
      [ -n "$directory" ] || return
      # 20 seconds are arbitrary; the server itself kills a child that does not obey after 5.
      halt QUIT 20 || halt KILL 5
      # Again, should a process that was killed still have been writing.
      for second in 1 2 3 4 5; do
        rm -rf "$directory" 2>/dev/null && return
        sleep 1
      done
    }

    while IFS=' ' read -r request argument; do
      case $request in
      create) create ;;
      initialize) initialize ;;
      copy) copy "$argument" ;;
      append) append "$argument" ;;
      start) start ;;
      restart) restart "$argument" ;;
      adopt) adopt "$argument" ;;
      keep) keep ;;
      *) false ;;
      esac
      answer $?
    done
    finish
    """#
}
