# Completion of tinystories-lm in bash 3.2 or newer. It does not change COMP_WORDBREAKS.
if [ -n "${ZSH_VERSION-}" ]; then # Hydra's documentation has the same line for both shells
    eval "$(tinystories-lm completion zsh)"
else
    _tinystories_lm() {
        local reply program=$1
        [[ $program == "~/"* ]] && program=$HOME/${program:2}
        COMPREPLY=()
        while IFS= read -r reply; do
            COMPREPLY+=("$reply")
        done < <("$program" --complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null </dev/null)
    }
    complete -o nospace -F _tinystories_lm tinystories-lm
fi
