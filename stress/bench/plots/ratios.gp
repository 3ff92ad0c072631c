# Time of lanemalloc against the best peer of each cell.
set terminal svg size 1100,620 dynamic background "#ffffff"
set output out
set title "time(lanemalloc) / time(best peer): below 1 is faster"
set logscale y 2
set yrange [0.2:4]
set ytics (0.25, 0.35, 0.5, 0.7, 0.85, 1, 1.15, 1.4, 2, 4)
set xtics rotate by -40
set offsets 0.5, 0.5, 0, 0
# Values beyond the frame stand on its edge.
inside(x) = x < 0.21 ? 0.21 : x > 3.9 ? 3.9 : x
plot 1.0 lw 2 lc rgb "#000000" notitle with lines, \
	1.15 dt 2 lc rgb "#d62728" title "1.15" with lines, \
	for [i = 2 : nr + 1] data using 0:(inside(column(i))):xticlabel(1) \
		with points pt 4 + i ps 0.9 lc rgb colour[i - 1] \
		title columnheader(i)
