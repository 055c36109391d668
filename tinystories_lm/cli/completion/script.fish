# Completion of tinystories-lm in fish 3 or newer.
function __tinystories_lm
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    $program --complete fish $words[2..] (string unescape -- $word; or echo -- $word) 2>/dev/null </dev/null
end
complete -c tinystories-lm -f -a '(__tinystories_lm)'
