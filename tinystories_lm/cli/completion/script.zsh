# Completion of tinystories-lm in zsh 5 or newer.
_tinystories_lm() {
    local text help program=${(Q)words[1]/#\~\//$HOME/}
    local -a whole whole_shown open open_shown
    while IFS=$'\t' read -r text help; do
        if [[ $text == *[=./,] ]]; then
            open+=("$text") open_shown+=("$text${help:+  -- $help}")
        else
            whole+=("$text") whole_shown+=("$text${help:+  -- $help}")
        fi
    done < <("$program" --complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)
    (( $#open )) && compadd -l -d open_shown -S '' -- "$open[@]"
    (( $#whole )) && compadd -l -d whole_shown -- "$whole[@]"
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }
compdef _tinystories_lm tinystories-lm
