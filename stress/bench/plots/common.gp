# What all pictures share. Set before: data, out, nr, colour[].
set datafile separator tab
set datafile missing "?"
set style data linespoints
set border 3
set tics nomirror
set grid ytics lc rgb "#dddddd"
set key outside right top
