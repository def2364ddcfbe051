/** `lictor completion`: the scripts by which shells complete command lines of lictor. */

import { Argument, type Command } from 'commander';
import { examples } from '../options.ts';
import { jsonText } from '../output.ts';
import type { World } from '../world.ts';

const BASH = `# Completion of lictor for bash. Load it with: source <(lictor completion bash)
_lictor() {
  local line value current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    value="\${line%%$'\\t'*}"
    if [[ $value == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$current")
    elif [[ $value == *[!A-Za-z0-9_.:@%+,/=-]* ]]; then
      printf -v value %q "$value"
      COMPREPLY+=("$value")
    else
      COMPREPLY+=("$value")
    fi
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _lictor lictor
`;

const ZSH = `#compdef lictor
# Completion of lictor for zsh. Load it with: source <(lictor completion zsh)
_lictor() {
  local line value files=0
  local -a found
  while IFS= read -r line; do
    value="\${line%%$'\\t'*}"
    if [[ $value == :files ]]; then
      files=1
    else
      found+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && _describe -V lictor found
  (( files )) && _files
}
if [[ "\${funcstack[1]}" == _lictor ]]; then _lictor "$@"; else compdef _lictor lictor; fi
`;

const FISH = `# Completion of lictor for fish. Load it with: lictor completion fish | source
function __lictor_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  set -l program $before[1]
  set -e before[1]
  for line in ($program __complete $before "$current" 2>/dev/null)
    if string match -q ':files*' -- $line
      __fish_complete_path "$current"
    else
      printf '%s\\n' $line
    end
  end
end
complete -c lictor -f -a '(__lictor_complete)'
`;

const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;

/**
 * Adds the command.
 *
 * @param program - what it is added to.
 * @param world - the world that it runs in.
 */
export function register(program: Command, world: World): void {
  const command = program
    .command('completion')
    .summary('make a shell complete commands, options and live names')
    .description(
      'Print the script that makes a shell complete lictor: commands, options, and the names of keys, instances ' +
        'and the like, for which the server is asked for a second and a half at most.',
    )
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)));
  examples(
    command.action((shell: keyof typeof SCRIPTS) => {
      const script = SCRIPTS[shell];
      return world.print(world.json ? jsonText({ shell, script }) : script);
    }),
    [
      'source <(lictor completion bash)',
      'lictor completion zsh > ~/.zfunc/_lictor',
      'lictor completion fish > ~/.config/fish/completions/lictor.fish',
    ],
  );
}
